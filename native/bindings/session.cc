#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "bindings/bindings.h"

namespace tesselle::bindings {
namespace {

void make_session(SessionHandle* self, ProgramHandle& program) {
  auto session = make_ref<vm::Session>(program.ref);
  {
    const nb::gil_scoped_release nogil;
    session->initialize(check_signals);
  }
  new (self) SessionHandle{std::move(session)};
}

/// The global of type ref called `name`.
uint32_t find_reference(const vm::Program& program, const std::string& name) {
  const auto& globals = program.module().globals;
  const auto found = std::ranges::find(globals, name, &vm::Global::name);
  if (found == globals.end()) fail_invocation("no global named '" + name + "'");
  if (found->type != vm::RegisterType::kRef) fail_invocation("global '" + name + "' holds a number, not a reference");
  return static_cast<uint32_t>(found - globals.begin());
}

using Value = std::tuple<BufferHandle, uint32_t, std::vector<int64_t>>;

/// Copies of the views in globals, all from between the same two calls: (bytes, code of the element type, shape).
std::vector<Value> get(SessionHandle& self, const std::vector<std::string>& names) {
  const vm::Program& program = *self.ref->program();
  std::vector<uint32_t> indices;
  indices.reserve(names.size());
  for (const std::string& name : names) indices.push_back(find_reference(program, name));
  std::vector<Value> values;
  values.reserve(names.size());
  const nb::gil_scoped_release nogil;
  const Ref<vm::Turn> turn = self.ref->join();
  self.ref->wait_for(turn.get(), check_signals);
  self.ref->require_usable();
  for (const uint32_t index : indices) {
    const auto view = self.ref->view(index);
    const auto shape = view->shape();
    values.emplace_back(BufferHandle{hal::copy_bytes(*view, program.device()->allocator())}, view->dtype(),
                        std::vector<int64_t>(shape.begin(), shape.end()));
  }
  return values;
}

/// Puts copies of bytes into globals, all between the same two calls or, when one is wrong, none.
void set(SessionHandle& self,
         const std::vector<std::tuple<std::string, nb::object, uint32_t, std::vector<int64_t>>>& values) {
  const vm::Program& program = *self.ref->program();
  std::vector<Ref<hal::BufferView>> given;
  std::vector<std::pair<uint32_t, Ref<hal::BufferView>>> views;
  for (const auto& [name, object, dtype, shape] : values) {
    const uint32_t index = find_reference(program, name);
    auto view = make_ref<hal::BufferView>(import_python_buffer(object, false), 0, dtype, shape);
    if (view->size_bytes() != view->buffer()->length()) {
      fail_invocation("global '" + name + "': " + std::to_string(view->buffer()->length()) + " bytes, its type takes " +
                      std::to_string(view->size_bytes()));
    }
    views.emplace_back(index, nullptr);
    given.push_back(std::move(view));
  }
  const nb::gil_scoped_release nogil;
  for (size_t i = 0; i < given.size(); ++i) {
    auto copy = hal::copy_bytes(*given[i], program.device()->allocator());
    views[i].second = make_ref<hal::BufferView>(std::move(copy), 0, given[i]->dtype(), given[i]->shape());
  }
  const Ref<vm::Turn> turn = self.ref->join();
  self.ref->wait_for(turn.get(), check_signals);
  self.ref->replace(views);
}

/// Gives the globals their first values again, where there are variables: else calls run at any time, and what they
/// keep in globals is theirs.
void reset(SessionHandle& self) {
  if (!self.ref->program()->has_variables()) return;
  const nb::gil_scoped_release nogil;
  const Ref<vm::Turn> turn = self.ref->join();
  self.ref->wait_for(turn.get(), check_signals);
  self.ref->initialize(check_signals);
}

/// A Python function that any thread may call, and let go of.
class Callback {
 public:
  explicit Callback(nb::object function) : function_(std::move(function)) {}
  ~Callback() {
    if (!Py_IsInitialized()) {
      (void)function_.release();
      return;
    }
    const nb::gil_scoped_acquire gil;
    function_.reset();
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  void operator()() const {
    if (!Py_IsInitialized()) return;
    const nb::gil_scoped_acquire gil;
    try {
      function_();
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("a call's turn");
    }
  }

 private:
  nb::object function_;
};

void on_turn(InvocationHandle& self, nb::object function) {
  auto callback = std::make_shared<const Callback>(std::move(function));
  self.ref->on_turn([callback] { (*callback)(); });
}

/// Begins any exported function with plain numbers: for tests and tools. None stands for a null reference.
InvocationHandle begin_raw(SessionHandle& session, const std::string& name, const nb::list& arguments) {
  const vm::Function* function = session.ref->program()->module().find(name);
  if (!function || !function->exported) fail_invocation("no exported function '" + name + "'");
  if (function->argument_count != arguments.size()) fail_invocation("function '" + name + "': argument count");
  auto invocation = make_ref<vm::Invocation>(session.ref, *function);
  for (uint32_t i = 0; i < function->argument_count; ++i) {
    const nb::handle value = arguments[i];
    vm::Slot slot{.bits = 0};
    switch (function->registers[i]) {
      case vm::RegisterType::kI32:
        slot.i32 = nb::cast<int32_t>(value);
        break;
      case vm::RegisterType::kI64:
        slot.i64 = nb::cast<int64_t>(value);
        break;
      case vm::RegisterType::kF32:
        slot.f32 = static_cast<float>(nb::cast<double>(value));
        break;
      case vm::RegisterType::kF64:
        slot.f64 = nb::cast<double>(value);
        break;
      case vm::RegisterType::kRef:
        if (nb::isinstance<SemaphoreHandle>(value)) {
          invocation->set_argument_reference(i, Ref(nb::cast<SemaphoreHandle&>(value).ref).detach());
        } else if (nb::isinstance<BufferHandle>(value)) {
          invocation->set_argument_reference(i, Ref(nb::cast<BufferHandle&>(value).ref).detach());
        }
        continue;
    }
    invocation->set_argument(i, slot);
  }
  invocation->join();
  return {std::move(invocation)};
}

nb::list raw_results(InvocationHandle& self) {
  nb::list list;
  const auto& slots = self.ref->results();
  for (size_t i = 0; i < slots.size(); ++i) {
    switch (self.ref->function().results[i]) {
      case vm::RegisterType::kI32:
        list.append(slots[i].i32);
        break;
      case vm::RegisterType::kI64:
        list.append(slots[i].i64);
        break;
      case vm::RegisterType::kF32:
        list.append(static_cast<double>(slots[i].f32));
        break;
      case vm::RegisterType::kF64:
        list.append(slots[i].f64);
        break;
      case vm::RegisterType::kRef:
        if (slots[i].ref && slots[i].ref->object_kind() == ObjectKind::kBuffer) {
          list.append(BufferHandle{Ref<hal::Buffer>::share(static_cast<hal::Buffer*>(slots[i].ref))});
        } else {
          list.append(nb::none());
        }
        break;
    }
  }
  return list;
}

int resume(InvocationHandle& self, int64_t steps) {
  const nb::gil_scoped_release nogil;
  return static_cast<int>(self.ref->resume(steps));
}

bool await(InvocationHandle& self, double timeout_s) {
  const nb::gil_scoped_release nogil;
  return self.ref->await(static_cast<int64_t>(std::min(timeout_s, 9e9) * 1e9));
}

}  // namespace

void register_session(nb::module_& module) {
  nb::class_<SessionHandle>(module, "Session", "The globals of a program.")
      .def("__init__", &make_session)
      .def("begin_raw", &begin_raw)
      .def("get", &get)
      .def("set", &set)
      .def("reset", &reset);
  nb::class_<InvocationHandle>(module, "Invocation", "A running call, as data.")
      .def("resume", &resume)
      .def("wait", &await)
      .def("on_turn", &on_turn)
      .def("abandon", [](InvocationHandle& self) { self.ref->abandon("the call was abandoned"); })
      .def_prop_ro("status", [](InvocationHandle& self) { return static_cast<int>(self.ref->status()); })
      .def("raw_results", &raw_results);
}

}  // namespace tesselle::bindings
