#include <algorithm>
#include <string>

#include "base/error.h"
#include "bindings/bindings.h"

namespace tesselle::bindings {
namespace {

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kArtifact:
      return "ArtifactError";
    case ErrorKind::kInvocation:
      return "InvocationError";
    case ErrorKind::kOption:
      return "OptionError";
    case ErrorKind::kSession:
      return "SessionError";
    case ErrorKind::kExecution:
      break;
  }
  return "ExecutionError";
}

}  // namespace

void check_signals() {
  const nb::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

void register_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const Error& error) {
      // Messages may quote names from a damaged file: whatever is not UTF-8 is shown as a replacement character.
      std::string what = error.what();
      // What is said of a file stays on one line, whatever names the file has.
      if (error.kind() == ErrorKind::kArtifact) {
        std::replace_if(what.begin(), what.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
      }
      const auto text = nb::steal(PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "replace"));
      const auto type = nb::module_::import_("tesselle.support.diagnostics").attr(class_name(error.kind()));
      PyErr_SetObject(type.ptr(), type(text).ptr());
    }
  });
}

}  // namespace tesselle::bindings
