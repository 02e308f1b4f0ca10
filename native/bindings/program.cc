#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "bindings/bindings.h"

namespace tesselle::bindings {
namespace {

/// A function of a session, ready to be called from Python: `call(*args, **kwargs)` is the fast path of everything.
class BoundFunction {
 public:
  BoundFunction(
      SessionHandle session, const std::string& name,
      const std::vector<std::tuple<uint32_t, uint32_t, std::vector<std::string>, std::vector<int64_t>>>& arguments,
      nb::object bind, nb::object convert, nb::object ndarray, std::vector<nb::object> numpy_dtypes)
      : session_(std::move(session.ref)),
        bind_(std::move(bind)),
        convert_(std::move(convert)),
        ndarray_(std::move(ndarray)),
        numpy_dtypes_(std::move(numpy_dtypes)) {
    function_ = session_->program()->module().find(name);
    if (!function_ || !function_->exported) fail_artifact("host.vm: no exported function '" + name + "'");
    const auto is_ref = [](vm::RegisterType type) { return type == vm::RegisterType::kRef; };
    if (function_->argument_count != arguments.size() ||
        !std::all_of(function_->registers.begin(), function_->registers.begin() + function_->argument_count, is_ref) ||
        !std::all_of(function_->results.begin(), function_->results.end(), is_ref)) {
      fail_artifact("host.vm: function '" + name + "' does not have the signature that the manifest gives it");
    }
    for (const auto& [dtype, item_bytes, formats, shape] : arguments) {
      specs_.push_back({dtype, item_bytes, formats, shape});
    }
  }

  /// Converts the arguments and makes a call that has not begun.
  Ref<vm::Invocation> begin(const nb::args& args, const nb::kwargs& kwargs) const {
    nb::object values = args;
    // Names, missing and superfluous arguments: Python sorts them out, or says what is wrong.
    if (kwargs.size() > 0 || args.size() != specs_.size()) values = bind_(args, kwargs);
    auto invocation = make_ref<vm::Invocation>(session_, *function_);
    for (size_t i = 0; i < specs_.size(); ++i) {
      const auto value = nb::borrow(PyTuple_GET_ITEM(values.ptr(), static_cast<Py_ssize_t>(i)));
      Ref<hal::BufferView> view = import_argument(value, specs_[i], false);
      if (!view) {
        const nb::object converted = convert_(i, value);
        view = import_argument(converted, specs_[i], true);
        if (!view) fail_invocation("argument " + std::to_string(i) + " has no memory that can be read");
      }
      invocation->set_argument_reference(static_cast<uint32_t>(i), view.detach());
    }
    // Last: a call with wrong arguments has no place among the others.
    invocation->join();
    return invocation;
  }

  nb::object results(const vm::Invocation& invocation) const {
    const auto& device = session_->program()->device();
    const auto& slots = invocation.results();
    const auto one = [&](size_t i) { return export_result(slots[i], i, device, ndarray_, numpy_dtypes_); };
    if (slots.size() == 1) return one(0);
    const auto tuple = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(slots.size())));
    for (size_t i = 0; i < slots.size(); ++i) {
      PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), one(i).release().ptr());
    }
    return tuple;
  }

  nb::object call(const nb::args& args, const nb::kwargs& kwargs) const {
    const Ref<vm::Invocation> invocation = begin(args, kwargs);
    {
      const nb::gil_scoped_release nogil;
      invocation->run(check_signals);
    }
    return results(*invocation);
  }

 private:
  friend int traverse(PyObject* self, visitproc visit, void* arg);
  friend int clear(PyObject* self);

  const Ref<vm::Session> session_;
  const vm::Function* function_ = nullptr;
  std::vector<ArgumentSpec> specs_;
  nb::object bind_;
  nb::object convert_;
  nb::object ndarray_;
  std::vector<nb::object> numpy_dtypes_;
};

// bind and convert are methods of the Python object that holds this one: the garbage collector must see the cycle.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  auto* function = nb::inst_ptr<BoundFunction>(self);
  Py_VISIT(function->bind_.ptr());
  Py_VISIT(function->convert_.ptr());
  return 0;
}

int clear(PyObject* self) {
  if (!nb::inst_ready(self)) return 0;
  auto* function = nb::inst_ptr<BoundFunction>(self);
  function->bind_.reset();
  function->convert_.reset();
  return 0;
}

PyType_Slot function_slots[] = {
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)}, {Py_tp_clear, reinterpret_cast<void*>(clear)}, {0, nullptr}};

/// Python's functions behind the calls of a program: `call(index, arguments, results)` gives None, or what went wrong.
class PythonHostFunctions : public vm::HostFunctions {
 public:
  PythonHostFunctions(size_t count, nb::object call) : count_(count), call_(std::move(call)) {}
  ~PythonHostFunctions() override {
    if (!Py_IsInitialized()) {
      (void)call_.release();
      return;
    }
    const nb::gil_scoped_acquire gil;
    call_.reset();
  }

  size_t count() const override { return count_; }
  void call(uint32_t index, std::span<const Ref<hal::BufferView>> arguments,
            std::span<const Ref<hal::BufferView>> results) const override {
    const nb::gil_scoped_acquire gil;
    const nb::object failure = call_(index, tensors(arguments), tensors(results));
    if (!failure.is_none()) fail_execution(nb::cast<std::string>(failure));
  }

 private:
  /// (bytes, code of the element type, shape) of each view.
  static nb::list tensors(std::span<const Ref<hal::BufferView>> views) {
    nb::list list;
    for (const auto& view : views) {
      const auto shape = view->shape();
      list.append(
          nb::make_tuple(BufferHandle{view->bytes()}, view->dtype(), std::vector<int64_t>(shape.begin(), shape.end())));
    }
    return list;
  }

  const size_t count_;
  nb::object call_;
};

using VariableTuple = std::tuple<std::string, std::string, uint32_t, std::vector<int64_t>>;

ProgramHandle make_program(DeviceHandle& device, nb::handle host_program,
                           const std::vector<std::tuple<nb::object, int64_t, int64_t>>& constants,
                           const std::vector<ExecutableHandle>& executables, size_t host_function_count,
                           nb::object host_call, int64_t call_depth, int64_t steps,
                           const std::vector<VariableTuple>& variables, const std::string& initializer,
                           const std::vector<std::string>& updating) {
  const auto code = import_python_buffer(host_program, false);
  vm::Module module = vm::parse_module({code->data(), static_cast<size_t>(code->length())});
  std::vector<Ref<hal::Buffer>> buffers;
  buffers.reserve(constants.size());
  // Constants of one file share one export of it.
  nb::object last_file;
  Ref<hal::Buffer> file;
  for (const auto& [object, offset, size] : constants) {
    if (!object.is(last_file)) {
      file = import_python_buffer(object, false);
      last_file = object;
    }
    buffers.push_back(hal::subspan(file, offset, size));
  }
  std::vector<Ref<hal::Executable>> kernels;
  kernels.reserve(executables.size());
  for (const auto& executable : executables) kernels.push_back(executable.ref);
  auto host_functions = std::make_unique<const PythonHostFunctions>(host_function_count, std::move(host_call));
  vm::State state{{}, initializer, updating};
  for (const auto& [name, global, dtype, shape] : variables) state.variables.push_back({name, global, dtype, shape});
  auto program = make_ref<vm::Program>(device.ref, std::move(module), std::move(buffers), std::move(kernels),
                                       std::move(host_functions), vm::Limits{call_depth, steps}, std::move(state));
  return {std::move(program)};  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the handle owns it
}

}  // namespace

void register_program(nb::module_& module) {
  nb::class_<Handle<hal::Profiler>>(module, "Profiler", "Collects what ran when.")
      .def("__init__", [](Handle<hal::Profiler>* self) { new (self) Handle<hal::Profiler>{make_ref<hal::Profiler>()}; })
      .def("take", [](Handle<hal::Profiler>& self) {
        std::vector<std::tuple<int, uint32_t, int64_t, int64_t, int, int64_t, int>> rows;
        for (const auto& r : self.ref->take()) {
          rows.emplace_back(r.executable, r.entry, r.start_ns, r.end_ns, r.worker, r.workgroups, r.is_first ? 1 : 0);
        }
        return rows;
      });
  nb::class_<ProgramHandle>(module, "Program", "Verified code on a device.")
      .def(
          "set_profiler",
          [](ProgramHandle& self, std::optional<Handle<hal::Profiler>> profiler) {
            self.ref->set_profiler(profiler ? profiler->ref : nullptr);
          },
          nb::arg("profiler").none());
  module.def("load_program", &make_program);
  nb::class_<BoundFunction>(module, "BoundFunction", nb::type_slots(function_slots), "A function of a session.")
      .def(nb::init<SessionHandle, const std::string&,
                    const std::vector<std::tuple<uint32_t, uint32_t, std::vector<std::string>, std::vector<int64_t>>>&,
                    nb::object, nb::object, nb::object, std::vector<nb::object>>())
      .def("__call__", &BoundFunction::call)
      .def("begin", [](const BoundFunction& self, const nb::args& args,
                       const nb::kwargs& kwargs) { return InvocationHandle{self.begin(args, kwargs)}; })
      .def("results",
           [](const BoundFunction& self, InvocationHandle& invocation) { return self.results(*invocation.ref); });
}

}  // namespace tesselle::bindings
