#include "vm/program.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"

namespace tesselle::vm {

Program::Program(Ref<hal::Device> device, Module module, std::vector<Ref<hal::Buffer>> constants,
                 std::vector<Ref<hal::Executable>> executables, std::unique_ptr<const HostFunctions> host_functions,
                 Limits limits, State state)
    : Object(ObjectKind::kProgram),
      device_(std::move(device)),
      module_(std::move(module)),
      constants_(std::move(constants)),
      executables_(std::move(executables)),
      host_functions_(std::move(host_functions)),
      limits_(limits),
      state_(std::move(state)) {
  Environment environment;
  environment.constant_count = constants_.size();
  environment.host_function_count = host_functions_->count();
  for (const auto& executable : executables_) {
    auto& entries = environment.executables.emplace_back();
    for (const hal::Entry& entry : executable->entries()) entries.push_back({entry.binding_count, entry.push_count});
  }
  verify_module(module_, environment);
  resolve_state();
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

void Program::resolve_state() {
  std::map<std::string, uint32_t> globals;
  for (uint32_t i = 0; i < module_.globals.size(); ++i) globals.emplace(module_.globals[i].name, i);
  for (const Variable& variable : state_.variables) {
    const auto found = globals.find(variable.global);
    const std::string place = "variable '" + variable.name + "': ";
    if (found == globals.end()) fail_artifact(place + "host.vm has no global '" + variable.global + "'");
    if (module_.globals[found->second].type != RegisterType::kRef) {
      fail_artifact(place + "global '" + variable.global + "' of host.vm holds a number, not a reference");
    }
    if (!variables_.emplace(found->second, &variable).second) {
      fail_artifact(place + "global '" + variable.global + "' of host.vm is another variable's");
    }
  }
  if (module_.initializer >= 0) initializers_.push_back(&module_.functions[static_cast<size_t>(module_.initializer)]);
  if (!state_.initializer.empty()) {
    const Function& initializer = exported(state_.initializer);
    if (initializer.argument_count != 0 || !initializer.results.empty()) {
      fail_artifact("host.vm: initializer '" + initializer.name + "' has arguments or results");
    }
    // The module may name the same function.
    if (std::ranges::find(initializers_, &initializer) == initializers_.end()) initializers_.push_back(&initializer);
  }
  for (const std::string& name : state_.updating) updating_.push_back(&exported(name));
}

const Function& Program::exported(const std::string& name) const {
  const Function* function = module_.find(name);
  if (!function || !function->exported) fail_artifact("host.vm: no exported function '" + name + "'");
  return *function;
}

bool Program::updates(const Function& function) const {
  return std::ranges::find(updating_, &function) != updating_.end();
}

}  // namespace tesselle::vm
