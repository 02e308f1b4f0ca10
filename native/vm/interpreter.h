#pragma once

#include <cstdint>

#include "vm/invocation.h"

namespace tesselle::vm {

/// Executes verified bytecode of one invocation.
class Interpreter {
 public:
  explicit Interpreter(Invocation& invocation) : invocation_(invocation) {}
  /// Runs until something suspends or ends the call; uses up `steps`.
  Status run(int64_t& steps);

 private:
  /// The instructions of the HAL; true when the call has to wait for `invocation_.awaited()`. `w` points at the head
  /// word.
  bool hal(Opcode opcode, const uint32_t* w, Slot* regs);
  void dispatch(const uint32_t* w, Slot* regs);
  void create_view(const uint32_t* w, Slot* regs);
  void check_view(const uint32_t* w, Slot* regs);
  void load(Opcode opcode, const uint32_t* w, Slot* regs);
  void execute(const uint32_t* w, Slot* regs);
  void host_call(const uint32_t* w, Slot* regs);
  void find_commands(const uint32_t* w, Slot* regs);
  void keep_commands(const uint32_t* w, Slot* regs);

  const Program& program() const { return *invocation_.session_->program(); }

  Invocation& invocation_;
};

/// Puts an owned reference into a register.
inline void assign(Slot& slot, Object* owned) {
  Object* before = slot.ref;
  slot.ref = owned;
  if (before) before->release();
}

}  // namespace tesselle::vm
