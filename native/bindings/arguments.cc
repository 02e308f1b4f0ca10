#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "bindings/bindings.h"
#include "tesselle/isa.h"

namespace tesselle::bindings {
namespace {

/// An exported Python buffer; released under the GIL, on whichever thread lets go of it last.
class Exported {
 public:
  bool get(PyObject* object, int flags) {
    held_ = PyObject_GetBuffer(object, &view_, flags) == 0;
    return held_;
  }
  ~Exported() {
    if (!held_ || !Py_IsInitialized()) return;
    const nb::gil_scoped_acquire gil;
    PyBuffer_Release(&view_);
  }
  Exported() = default;
  Exported(const Exported&) = delete;
  Exported& operator=(const Exported&) = delete;

  const Py_buffer& view() const { return view_; }

 private:
  Py_buffer view_{};
  bool held_ = false;
};

bool has_format(const char* format, const ArgumentSpec& spec) {
  if (!format) format = "B";
  if (*format == '@' || *format == '=' || *format == '<' || *format == '|') ++format;
  return std::any_of(spec.formats.begin(), spec.formats.end(), [&](const std::string& f) { return f == format; });
}

bool matches(const Py_buffer& view, const ArgumentSpec& spec) {
  if (static_cast<size_t>(view.ndim) != spec.shape.size() ||
      view.itemsize != static_cast<Py_ssize_t>(spec.item_bytes) || !has_format(view.format, spec)) {
    return false;
  }
  for (size_t i = 0; i < spec.shape.size(); ++i) {
    if (spec.shape[i] >= 0 && view.shape[i] != spec.shape[i]) return false;
  }
  return reinterpret_cast<uintptr_t>(view.buf) % spec.item_bytes == 0;
}

Ref<hal::Buffer> wrap(std::unique_ptr<Exported> exported, bool writable) {
  const Py_buffer& view = exported->view();
  Exported* raw = exported.release();
  return hal::import_buffer(view.buf, view.len, !writable, [raw] { delete raw; });
}

}  // namespace

Ref<hal::Buffer> import_python_buffer(nb::handle object, bool writable) {
  auto exported = std::make_unique<Exported>();
  if (!exported->get(object.ptr(), writable ? PyBUF_CONTIG : PyBUF_CONTIG_RO)) throw nb::python_error();
  return wrap(std::move(exported), writable);
}

Ref<hal::BufferView> import_argument(nb::handle value, const ArgumentSpec& spec, bool trusted) {
  auto exported = std::make_unique<Exported>();
  if (!exported->get(value.ptr(), PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) {
    PyErr_Clear();
    return nullptr;
  }
  const Py_buffer& view = exported->view();
  if (!trusted && !matches(view, spec)) return nullptr;
  // Py_ssize_t and int64_t are different types of the same size on some systems.
  int64_t shape[hal::kMaxRank];
  const auto rank = static_cast<size_t>(std::min(view.ndim, hal::kMaxRank));
  std::copy_n(view.shape, rank, shape);
  return make_ref<hal::BufferView>(wrap(std::move(exported), false), 0, spec.dtype,
                                   std::span<const int64_t>(shape, rank));
}

nb::object export_result(const vm::Slot& slot, size_t index, const Ref<hal::Device>& device, nb::handle ndarray,
                         const std::vector<nb::object>& numpy_dtypes) {
  if (!slot.ref || slot.ref->object_kind() != ObjectKind::kBufferView) {
    fail_execution("result " + std::to_string(index) + " is not a buffer view");
  }
  const auto& view = *static_cast<hal::BufferView*>(slot.ref);
  Ref<hal::Buffer> bytes;
  // Somebody else's memory may change or go under the array; a small part must not keep a large block alive.
  if (!view.is_uniquely_held() || view.size_bytes() < view.buffer()->retained_bytes() / 2) {
    bytes = hal::copy_bytes(view, device->allocator());
  } else {
    bytes = view.bytes();
  }
  const auto shape = view.shape();
  const auto dims = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(shape.size())));
  for (size_t i = 0; i < shape.size(); ++i) {
    PyTuple_SET_ITEM(dims.ptr(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  }
  // numpy.ndarray(shape, dtype, buffer): three times as fast as going through DLPack, and it takes every dtype.
  return ndarray(dims, numpy_dtypes.at(view.dtype()), BufferHandle{std::move(bytes)});
}

}  // namespace tesselle::bindings
