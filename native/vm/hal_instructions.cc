#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"
#include "hal/buffer.h"
#include "hal/command_buffer.h"
#include "vm/interpreter.h"

namespace tesselle::vm {
namespace {

const char* kind_name(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kBuffer:
      return "a buffer";
    case ObjectKind::kBufferView:
      return "a buffer view";
    case ObjectKind::kCommandBuffer:
      return "a command buffer";
    case ObjectKind::kSemaphore:
      return "a fence";
    default:
      return "another object";
  }
}

/// The object in a register, which must be a T.
template <typename T>
T* object(const Slot& slot, ObjectKind kind) {
  if (!slot.ref || slot.ref->object_kind() != kind) {
    fail_execution(std::string("expected ") + kind_name(kind) + ", found " +
                   (slot.ref ? kind_name(slot.ref->object_kind()) : "null"));
  }
  return static_cast<T*>(slot.ref);
}

hal::Buffer* buffer(const Slot& slot) { return object<hal::Buffer>(slot, ObjectKind::kBuffer); }
hal::BufferView* view(const Slot& slot) { return object<hal::BufferView>(slot, ObjectKind::kBufferView); }
hal::CommandBuffer* commands(const Slot& slot) { return object<hal::CommandBuffer>(slot, ObjectKind::kCommandBuffer); }
hal::Semaphore* fence(const Slot& slot) { return object<hal::Semaphore>(slot, ObjectKind::kSemaphore); }

std::string type_text(uint32_t dtype, int64_t rank) {
  return std::string(dtype_info(dtype)->name) + " of rank " + std::to_string(rank);
}

int64_t dim(const hal::BufferView& v, uint32_t axis) {
  if (axis >= static_cast<uint32_t>(v.rank())) {
    fail_execution("axis " + std::to_string(static_cast<int32_t>(axis)) + " of a view of rank " +
                   std::to_string(v.rank()));
  }
  return v.shape()[axis];
}

template <typename T>
T read(const hal::Buffer& b, int64_t offset) {
  if (offset < 0 || b.length() < static_cast<int64_t>(sizeof(T)) ||
      offset > b.length() - static_cast<int64_t>(sizeof(T))) {
    fail_execution("a read at offset " + std::to_string(offset) + " of a buffer of " + std::to_string(b.length()) +
                   " bytes");
  }
  T value;
  std::memcpy(&value, b.data() + offset, sizeof value);
  return value;
}

}  // namespace

bool Interpreter::hal(Opcode opcode, const uint32_t* w, Slot* regs) {
  switch (opcode) {
    case Opcode::HAL_CONSTANT:
      assign(regs[w[1]], Ref<hal::Buffer>(program().constants()[w[2]]).detach());
      return false;
    case Opcode::HAL_BUFFER_ALLOCATE:
      assign(regs[w[1]], hal::allocate_buffer(program().device()->allocator(), regs[w[2]].i64).detach());
      return false;
    case Opcode::HAL_BUFFER_LENGTH:
      regs[w[1]].i64 = buffer(regs[w[2]])->length();
      return false;
    case Opcode::HAL_BUFFER_LOAD_I8:
    case Opcode::HAL_BUFFER_LOAD_I16:
    case Opcode::HAL_BUFFER_LOAD_I32:
    case Opcode::HAL_BUFFER_LOAD_I64:
    case Opcode::HAL_BUFFER_LOAD_F32:
    case Opcode::HAL_BUFFER_LOAD_F64:
      load(opcode, w, regs);
      return false;

    case Opcode::HAL_VIEW_CREATE:
      create_view(w, regs);
      return false;
    case Opcode::HAL_VIEW_BUFFER:
      assign(regs[w[1]], view(regs[w[2]])->bytes().detach());
      return false;
    case Opcode::HAL_VIEW_DIM:
      regs[w[1]].i64 = dim(*view(regs[w[2]]), w[3]);
      return false;
    case Opcode::HAL_VIEW_CHECK:
      check_view(w, regs);
      return false;
    case Opcode::HAL_VIEW_CHECK_DIM: {
      const int64_t found = dim(*view(regs[w[1]]), w[3]);
      const int64_t expected = regs[w[4]].i64;
      if (found != expected) {
        fail_invocation("argument " + std::to_string(w[2]) + ": expected dimension " + std::to_string(w[3]) +
                        " to be " + std::to_string(expected) + ", found " + std::to_string(found));
      }
      return false;
    }

    case Opcode::HAL_COMMAND_BUFFER_CREATE:
      assign(regs[w[1]], new hal::CommandBuffer(static_cast<int32_t>(w[2])));
      return false;
    case Opcode::HAL_COMMAND_BUFFER_FINALIZE:
      commands(regs[w[1]])->finalize();
      return false;
    case Opcode::HAL_COMMAND_BUFFER_DISPATCH:
      dispatch(w, regs);
      return false;
    case Opcode::HAL_COMMAND_BUFFER_COPY: {
      const int64_t length = regs[w[6]].i64;
      const hal::BindingRange source{w[2], hal::kAccessRead, regs[w[3]].i64, length};
      const hal::BindingRange target{w[4], hal::kAccessWrite, regs[w[5]].i64, length};
      commands(regs[w[1]])->copy(source, target);
      return false;
    }
    case Opcode::HAL_COMMAND_BUFFER_FILL: {
      const hal::BindingRange target{w[2], hal::kAccessWrite, regs[w[3]].i64, regs[w[4]].i64};
      commands(regs[w[1]])->fill(target, regs[w[5]].bits, static_cast<int32_t>(w[6]));
      return false;
    }
    case Opcode::HAL_COMMAND_BUFFER_BARRIER:
      commands(regs[w[1]])->barrier();
      return false;

    case Opcode::HAL_FENCE_CREATE:
      assign(regs[w[1]], new hal::Semaphore(0));
      return false;
    case Opcode::HAL_QUEUE_EXECUTE:
      execute(w, regs);
      return false;
    case Opcode::HAL_FENCE_AWAIT: {
      hal::Semaphore* f = fence(regs[w[1]]);
      if (f->has_failed()) f->query();
      if (f->has_reached(1)) return false;
      invocation_.awaited_ = {Ref<hal::Semaphore>::share(f), 1};
      return true;
    }
    case Opcode::HAL_HOST_CALL:
      host_call(w, regs);
      return false;
    default:
      // The verifier lets no unknown opcode through, and the interpreter's loop has all others.
      fail_execution("an instruction that this runtime cannot execute");
  }
}

void Interpreter::load(Opcode opcode, const uint32_t* w, Slot* regs) {
  const hal::Buffer& b = *buffer(regs[w[2]]);
  const int64_t offset = regs[w[3]].i64;
  Slot& result = regs[w[1]];
  switch (opcode) {
    case Opcode::HAL_BUFFER_LOAD_I8:
      result.i32 = read<int8_t>(b, offset);  // NOLINT(bugprone-signed-char-misuse): sign extension is meant
      return;
    case Opcode::HAL_BUFFER_LOAD_I16:
      result.i32 = read<int16_t>(b, offset);
      return;
    case Opcode::HAL_BUFFER_LOAD_I32:
      result.i32 = read<int32_t>(b, offset);
      return;
    case Opcode::HAL_BUFFER_LOAD_I64:
      result.i64 = read<int64_t>(b, offset);
      return;
    case Opcode::HAL_BUFFER_LOAD_F32:
      result.f32 = read<float>(b, offset);
      return;
    default:
      result.f64 = read<double>(b, offset);
      return;
  }
}

void Interpreter::create_view(const uint32_t* w, Slot* regs) {
  const uint32_t* list = w + 5;
  int64_t shape[hal::kMaxRank];
  for (uint32_t i = 0; i < list[0]; ++i) shape[i] = regs[list[1 + i]].i64;
  auto created = make_ref<hal::BufferView>(Ref<hal::Buffer>::share(buffer(regs[w[2]])), regs[w[3]].i64, w[4],
                                           std::span<const int64_t>(shape, list[0]));
  assign(regs[w[1]], created.detach());
}

void Interpreter::check_view(const uint32_t* w, Slot* regs) {
  const hal::BufferView& v = *view(regs[w[1]]);
  const uint32_t dtype = w[3];
  const auto rank = static_cast<int32_t>(w[4]);
  if (v.dtype() != dtype || v.rank() != rank) {
    fail_invocation("argument " + std::to_string(w[2]) + ": expected " + type_text(dtype, rank) + ", found " +
                    type_text(v.dtype(), v.rank()));
  }
}

void Interpreter::dispatch(const uint32_t* w, Slot* regs) {
  const int64_t grid[3] = {regs[w[4]].i64, regs[w[5]].i64, regs[w[6]].i64};
  const uint32_t* push_list = w + 7;
  const uint32_t* binding_list = push_list + 1 + push_list[0];
  std::vector<int64_t> push(push_list[0]);
  for (uint32_t i = 0; i < push_list[0]; ++i) push[i] = regs[push_list[1 + i]].i64;
  std::vector<hal::BindingRange> bindings(binding_list[0]);
  for (uint32_t i = 0; i < binding_list[0]; ++i) {
    const uint32_t* b = binding_list + 1 + size_t{4} * i;
    bindings[i] = {b[0], b[3], regs[b[1]].i64, regs[b[2]].i64};
  }
  commands(regs[w[1]])->dispatch(program().executables()[w[2]], w[3], grid, push, bindings);
}

void Interpreter::execute(const uint32_t* w, Slot* regs) {
  const uint32_t* list = w + 4;
  std::vector<Ref<hal::Buffer>> buffers(list[0]);
  for (uint32_t i = 0; i < list[0]; ++i) {
    if (regs[list[1 + i]].ref) buffers[i] = Ref<hal::Buffer>::share(buffer(regs[list[1 + i]]));
  }
  std::vector<hal::TimelinePoint> waits;
  if (regs[w[2]].ref) waits.push_back({Ref<hal::Semaphore>::share(fence(regs[w[2]])), 1});
  std::vector<hal::TimelinePoint> signals;
  signals.push_back({Ref<hal::Semaphore>::share(fence(regs[w[3]])), 1});
  const hal::TimelinePoint done = signals.front();
  invocation_.deferred_.push_back(
      make_ref<hal::Submission>(program().device(), Ref<hal::CommandBuffer>::share(commands(regs[w[1]])), buffers,
                                std::move(waits), std::move(signals), invocation_.profiler_));
  invocation_.has_effects_ = true;
  if (invocation_.order_) invocation_.track(done);
}

void Interpreter::host_call(const uint32_t* w, Slot* regs) {
  const auto views = [&](const uint32_t* list) {
    std::vector<Ref<hal::BufferView>> found;
    found.reserve(list[0]);
    for (uint32_t i = 0; i < list[0]; ++i) found.push_back(Ref<hal::BufferView>::share(view(regs[list[1 + i]])));
    return found;
  };
  const std::vector<Ref<hal::BufferView>> arguments = views(w + 2);
  const std::vector<Ref<hal::BufferView>> results = views(w + 3 + w[2]);
  for (const auto& result : results) {
    if (result->buffer()->is_read_only()) fail_execution("a host function would write to memory that is read-only");
  }
  invocation_.has_effects_ = true;
  program().host_functions().call(w[1], arguments, results);
}

}  // namespace tesselle::vm
