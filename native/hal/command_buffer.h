#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ref.h"
#include "hal/buffer.h"
#include "hal/executable.h"

namespace tesselle::hal {

enum Access : uint32_t { kAccessNone = 0, kAccessRead = 1, kAccessWrite = 2 };

/// A range of the buffer that an execution puts into a slot.
struct BindingRange {
  uint32_t slot = 0;
  uint32_t access = kAccessNone;
  int64_t offset = 0;
  int64_t length = 0;
};

enum class CommandKind : uint8_t { kDispatch, kCopy, kFill };

/// One recorded command. Ranges stand in the command buffer's own list: of a dispatch its bindings in order, of a copy
/// source and target, of a fill its target.
struct Command {
  CommandKind kind;
  uint8_t pattern_bytes = 0;
  uint32_t segment = 0;
  uint32_t first_binding = 0;
  uint32_t binding_count = 0;
  uint32_t first_push = 0;
  uint32_t entry_index = 0;
  const Executable* executable = nullptr;
  int64_t grid[3] = {1, 1, 1};
  uint64_t pattern = 0;

  const Entry& entry() const { return executable->entries()[entry_index]; }
};

/// Recorded work. It names slots, not buffers, so that a finalized one can be executed many times, with other buffers,
/// also at the same time. Commands between two barriers are independent of one another.
class CommandBuffer : public Object {
 public:
  explicit CommandBuffer(int64_t capacity);

  // Recording. Each fails with an execution error for what no execution could make right.
  void dispatch(const Ref<Executable>& executable, int64_t entry, std::span<const int64_t, 3> grid,
                std::span<const int64_t> push, std::span<const BindingRange> bindings);
  void copy(const BindingRange& source, const BindingRange& target);
  void fill(const BindingRange& target, uint64_t pattern, int64_t pattern_bytes);
  void barrier();
  void finalize();

  bool is_finalized() const { return finalized_.load(std::memory_order_acquire); }
  uint32_t capacity() const { return capacity_; }
  std::span<const Command> commands() const { return commands_; }
  std::span<const int64_t> push() const { return push_; }
  std::span<const BindingRange> bindings() const { return bindings_; }

  /// Puts the address of every range into `addresses`, in the order of bindings().
  /// Fails with an execution error unless each lies inside its buffer and is allowed to be written.
  void resolve(std::span<const Ref<Buffer>> buffers, std::vector<void*>& addresses) const;

 private:
  Command& record(CommandKind kind, std::span<const BindingRange> bindings);
  void require_recording() const;

  const uint32_t capacity_;
  std::atomic<bool> finalized_{false};
  uint32_t segment_ = 0;
  std::vector<Command> commands_;
  std::vector<int64_t> push_;
  std::vector<BindingRange> bindings_;
  std::vector<Ref<Executable>> executables_;
};

}  // namespace tesselle::hal
