#include "vm/program.h"

#include <utility>

namespace tesselle::vm {

Program::Program(Ref<hal::Device> device, Module module, std::vector<Ref<hal::Buffer>> constants,
                 std::vector<Ref<hal::Executable>> executables, std::unique_ptr<const HostFunctions> host_functions,
                 Limits limits)
    : Object(ObjectKind::kProgram),
      device_(std::move(device)),
      module_(std::move(module)),
      constants_(std::move(constants)),
      executables_(std::move(executables)),
      host_functions_(std::move(host_functions)),
      limits_(limits) {
  Environment environment;
  environment.constant_count = constants_.size();
  environment.host_function_count = host_functions_->count();
  for (const auto& executable : executables_) {
    auto& entries = environment.executables.emplace_back();
    for (const hal::Entry& entry : executable->entries()) entries.push_back({entry.binding_count, entry.push_count});
  }
  verify_module(module_, environment);
}

void Program::set_profiler(Ref<hal::Profiler> profiler) {
  const std::scoped_lock lock(profiler_mutex_);
  profiling_.store(static_cast<bool>(profiler), std::memory_order_release);
  profiler_ = std::move(profiler);
}

Ref<hal::Profiler> Program::profiler() const {
  if (!profiling_.load(std::memory_order_acquire)) return nullptr;
  const std::scoped_lock lock(profiler_mutex_);
  return profiler_;
}

Session::Session(Ref<Program> program) : Object(ObjectKind::kSession), program_(std::move(program)) {
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

void Session::store_reference(uint32_t index, Object* object) {
  if (object) object->retain();
  Object* before = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    before = std::exchange(globals_[index].ref, object);
  }
  // Outside the lock: an object's end may take long, and may reach back here.
  if (before) before->release();
}

}  // namespace tesselle::vm
