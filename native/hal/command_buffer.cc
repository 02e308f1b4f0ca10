#include "hal/command_buffer.h"

#include <cstring>
#include <string>

#include "base/error.h"

namespace tesselle::hal {
namespace {

// Far above any real program; they keep a hostile loop from eating the machine's memory.
constexpr int64_t kMaxCapacity = 1 << 16;
constexpr size_t kMaxCommands = size_t{1} << 20;
constexpr size_t kMaxBindings = size_t{1} << 22;
constexpr int64_t kMaxWorkgroups = int64_t{1} << 31;

std::string text(int64_t value) { return std::to_string(value); }

}  // namespace

CommandBuffer::CommandBuffer(int64_t capacity)
    : Object(ObjectKind::kCommandBuffer), capacity_(static_cast<uint32_t>(capacity)) {
  if (capacity < 0 || capacity > kMaxCapacity) fail_execution("a command buffer with " + text(capacity) + " slots");
}

void CommandBuffer::require_recording() const {
  if (is_finalized()) fail_execution("a finalized command buffer cannot record");
}

Command& CommandBuffer::record(CommandKind kind, std::span<const BindingRange> bindings) {
  require_recording();
  if (commands_.size() >= kMaxCommands || bindings_.size() + bindings.size() > kMaxBindings) {
    fail_execution("a command buffer with more than 1,048,576 commands");
  }
  for (const BindingRange& b : bindings) {
    if (b.slot >= capacity_) fail_execution("slot " + text(b.slot) + " of " + text(capacity_));
    if (b.access > (kAccessRead | kAccessWrite)) fail_execution("access mask " + text(b.access));
  }
  Command& command = commands_.emplace_back(Command{.kind = kind});
  command.segment = segment_;
  command.first_binding = static_cast<uint32_t>(bindings_.size());
  command.binding_count = static_cast<uint32_t>(bindings.size());
  bindings_.insert(bindings_.end(), bindings.begin(), bindings.end());
  return command;
}

void CommandBuffer::dispatch(const Ref<Executable>& executable, int64_t entry, std::span<const int64_t, 3> grid,
                             std::span<const int64_t> push, std::span<const BindingRange> bindings) {
  const auto& entries = executable->entries();
  if (entry < 0 || static_cast<size_t>(entry) >= entries.size()) {
    fail_execution("entry " + text(entry) + " of " + text(static_cast<int64_t>(entries.size())));
  }
  const Entry& kernel = entries[static_cast<size_t>(entry)];
  if (bindings.size() != kernel.binding_count || push.size() != kernel.push_count) {
    fail_execution("a dispatch with " + text(static_cast<int64_t>(bindings.size())) + " bindings and " +
                   text(static_cast<int64_t>(push.size())) + " push constants of an entry that takes " +
                   text(kernel.binding_count) + " and " + text(kernel.push_count));
  }
  int64_t total = 1;
  for (const int64_t extent : grid) {
    if (extent < 0 || __builtin_mul_overflow(total, extent, &total) || total > kMaxWorkgroups) {
      fail_execution("a grid of " + text(grid[0]) + " x " + text(grid[1]) + " x " + text(grid[2]) + " workgroups");
    }
  }
  Command& command = record(CommandKind::kDispatch, bindings);
  command.first_push = static_cast<uint32_t>(push_.size());
  command.entry_index = static_cast<uint32_t>(entry);
  command.executable = executable.get();
  std::copy(grid.begin(), grid.end(), command.grid);
  push_.insert(push_.end(), push.begin(), push.end());
  if (executables_.empty() || executables_.back().get() != executable.get()) executables_.push_back(executable);
}

void CommandBuffer::copy(const BindingRange& source, const BindingRange& target) {
  if (source.length != target.length) fail_execution("a copy between ranges of different lengths");
  const BindingRange ranges[] = {source, target};
  record(CommandKind::kCopy, ranges);
}

void CommandBuffer::fill(const BindingRange& target, uint64_t pattern, int64_t pattern_bytes) {
  if (pattern_bytes != 1 && pattern_bytes != 2 && pattern_bytes != 4 && pattern_bytes != 8) {
    fail_execution("a fill pattern of " + text(pattern_bytes) + " bytes");
  }
  if (target.length % pattern_bytes != 0) {
    fail_execution("a fill of " + text(target.length) + " bytes with a pattern of " + text(pattern_bytes));
  }
  Command& command = record(CommandKind::kFill, {&target, 1});
  command.pattern = pattern;
  command.pattern_bytes = static_cast<uint8_t>(pattern_bytes);
}

void CommandBuffer::barrier() {
  require_recording();
  // Two barriers in a row, or one before the first command, order nothing.
  if (!commands_.empty() && commands_.back().segment == segment_) ++segment_;
}

void CommandBuffer::finalize() {
  require_recording();
  finalized_.store(true, std::memory_order_release);
}

void CommandBuffer::resolve(std::span<const Ref<Buffer>> buffers, std::vector<void*>& addresses) const {
  if (!is_finalized()) fail_execution("a command buffer must be finalized before it is executed");
  if (buffers.size() != capacity_) {
    fail_execution("a binding table of " + text(static_cast<int64_t>(buffers.size())) +
                   " buffers for a command buffer with " + text(capacity_) + " slots");
  }
  addresses.resize(bindings_.size());
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const BindingRange& b = bindings_[i];
    const Buffer* buffer = buffers[b.slot].get();
    if (!buffer) fail_execution("slot " + text(b.slot) + " is null");
    const int64_t length = buffer->length();
    if (b.offset < 0 || b.length < 0 || b.offset > length || b.length > length - b.offset) {
      fail_execution("slot " + text(b.slot) + ": " + text(b.length) + " bytes at offset " + text(b.offset) +
                     " are outside its buffer of " + text(length) + " bytes");
    }
    if ((b.access & kAccessWrite) && buffer->is_read_only()) {
      fail_execution("slot " + text(b.slot) + ": a command writes a read-only buffer");
    }
    addresses[i] = buffer->data() + b.offset;
  }
  for (const Command& command : commands_) {
    if (command.kind != CommandKind::kCopy) continue;
    const auto* source = static_cast<std::byte*>(addresses[command.first_binding]);
    const auto* target = static_cast<std::byte*>(addresses[command.first_binding + 1]);
    const int64_t length = bindings_[command.first_binding].length;
    if (length > 0 && source < target + length && target < source + length) {
      fail_execution("a copy between ranges that overlap");
    }
  }
}

}  // namespace tesselle::hal
