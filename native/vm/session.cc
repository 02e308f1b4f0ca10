#include "vm/session.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "vm/invocation.h"

namespace tesselle::vm {
namespace {

constexpr int64_t kSliceNs = 50'000'000;

std::string type_text(uint32_t dtype, std::span<const int64_t> shape) {
  std::string text = "tensor<";
  for (const int64_t dim : shape) text += (dim < 0 ? "?" : std::to_string(dim)) + "x";
  return text + std::string(dtype_info(dtype)->name) + ">";
}

/// What keeps `object` from being the value of `variable`; empty: nothing.
std::string mismatch(const Variable& variable, const Object* object) {
  const std::string expected =
      "variable '" + variable.name + "' is a " + type_text(variable.dtype, variable.shape) + ", not ";
  if (!object || object->object_kind() != ObjectKind::kBufferView) {
    return expected + (object ? "another object" : "null");
  }
  const auto& view = *static_cast<const hal::BufferView*>(object);
  const auto fits = [](int64_t wanted, int64_t found) { return wanted < 0 || wanted == found; };
  if (view.dtype() == variable.dtype && std::ranges::equal(variable.shape, view.shape(), fits)) return "";
  return expected + "a " + type_text(view.dtype(), view.shape());
}

}  // namespace

Session::Session(Ref<Program> program)
    : Object(ObjectKind::kSession), program_(std::move(program)), turns_(make_ref<TurnQueue>()) {
  for (const Global& global : program_->module().globals) {
    Slot slot;
    slot.bits = global.initial;
    globals_.push_back(slot);
  }
}

Session::~Session() {
  const auto& globals = program_->module().globals;
  for (size_t i = 0; i < globals.size(); ++i) {
    if (globals[i].type == RegisterType::kRef && globals_[i].ref) globals_[i].ref->release();
  }
}

uint64_t Session::load(uint32_t index) const {
  const std::scoped_lock lock(mutex_);
  return globals_[index].bits;
}

void Session::store(uint32_t index, uint64_t bits) {
  const std::scoped_lock lock(mutex_);
  globals_[index].bits = bits;
}

Object* Session::load_reference(uint32_t index) const {
  const std::scoped_lock lock(mutex_);
  Object* object = globals_[index].ref;
  if (object) object->retain();
  return object;
}

bool Session::store_reference(uint32_t index, Object* object) {
  Ref<Object> value = Ref<Object>::share(object);
  const auto& variables = program_->variables();
  const auto found = variables.find(index);
  if (found != variables.end()) {
    if (const std::string text = mismatch(*found->second, object); !text.empty()) fail_execution(text);
    const auto& view = *static_cast<const hal::BufferView*>(object);
    if (view.buffer()->is_read_only()) {
      auto copy = hal::copy_bytes(view, program_->device()->allocator());
      value = make_ref<hal::BufferView>(std::move(copy), 0, view.dtype(), view.shape());
    }
  }
  exchange_reference(index, std::move(value));
  return found != variables.end();
}

void Session::exchange_reference(uint32_t index, Ref<Object> object) {
  Ref<Object> before;
  {
    const std::scoped_lock lock(mutex_);
    before = Ref<Object>::adopt(std::exchange(globals_[index].ref, object.detach()));
  }
  // `before` goes outside the lock: an object's end may take long, and may reach back here.
}

Ref<Turn> Session::join() { return program_->has_variables() ? turns_->join() : nullptr; }

void Session::wait_for(const Turn* turn, const Interrupted& interrupted) const {
  if (!turn) return;
  if (!turn->has_come()) Invocation::require_no_call_around(*this);
  while (!hal::await_point(turn->begins(), kSliceNs)) interrupted();
}

void Session::fail(const std::string& reason) {
  set_failure("an earlier call left this session halfway: " + reason +
              "; reset() or load_state_dict() makes it usable again");
}

void Session::set_failure(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.empty()) return;
  failure_ = text;
  failed_.store(true, std::memory_order_release);
}

void Session::require_usable() const {
  if (!failed_.load(std::memory_order_acquire)) return;
  const std::scoped_lock lock(mutex_);
  if (!failure_.empty()) throw Error(ErrorKind::kSession, failure_);
}

Ref<hal::BufferView> Session::view(uint32_t index) const {
  const auto object = Ref<Object>::adopt(load_reference(index));
  if (!object || object->object_kind() != ObjectKind::kBufferView) {
    fail_execution("global '" + program_->module().globals[index].name + "' holds " +
                   (object ? "something else than a buffer view" : "nothing"));
  }
  return Ref<hal::BufferView>::share(static_cast<hal::BufferView*>(object.get()));
}

void Session::replace(std::span<const std::pair<uint32_t, Ref<hal::BufferView>>> views) {
  const auto& variables = program_->variables();
  std::set<uint32_t> replaced;
  for (const auto& [index, view] : views) {
    const auto found = variables.find(index);
    if (found == variables.end()) continue;
    if (const std::string text = mismatch(*found->second, view.get()); !text.empty()) fail_invocation(text);
    replaced.insert(index);
  }
  for (const auto& [index, view] : views) exchange_reference(index, view);
  if (replaced.size() == variables.size()) {
    const std::scoped_lock lock(mutex_);
    failure_.clear();
    failed_.store(false, std::memory_order_release);
  }
}

void Session::clear() {
  const auto& globals = program_->module().globals;
  for (uint32_t i = 0; i < globals.size(); ++i) {
    if (globals[i].type == RegisterType::kRef) {
      exchange_reference(i, nullptr);
    } else {
      store(i, globals[i].initial);
    }
  }
}

void Session::initialize(const Interrupted& interrupted) {
  clear();
  {
    const std::scoped_lock lock(mutex_);
    failure_.clear();
    failed_.store(false, std::memory_order_release);
  }
  try {
    for (const Function* initializer : program_->initializers()) {
      make_ref<Invocation>(Ref<Session>::share(this), *initializer)->run(interrupted);
    }
  } catch (...) {
    fail("its initializer: " + Invocation::current_failure());
    throw;
  }
  check_complete();
}

void Session::check_complete() {
  std::string missing;
  for (const auto& [index, variable] : program_->variables()) {
    if (!load(index)) missing += (missing.empty() ? "'" : ", '") + variable->name + "'";
  }
  if (!missing.empty()) {
    set_failure("no initializer gives a value to " + missing + "; load_state_dict() does, with all variables");
  }
}

}  // namespace tesselle::vm
