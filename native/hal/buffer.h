#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/ref.h"
#include "hal/allocator.h"

namespace tesselle::hal {

/// A range of host memory. Which memory, and who frees it, is up to the subclass.
class Buffer : public Object {
 public:
  std::byte* data() const { return data_; }
  int64_t length() const { return length_; }
  /// Constants and arguments: commands may not write them.
  bool is_read_only() const { return read_only_; }
  /// Memory of this runtime that one holder may hand on without a copy: neither constant nor a caller's array, and
  /// nobody else holds it or a part of it. True only for the last holder, so it is not a race.
  virtual bool is_uniquely_held() const { return false; }
  /// Bytes that stay allocated while this buffer lives.
  virtual int64_t retained_bytes() const { return length_; }

 protected:
  Buffer(std::byte* data, int64_t length, bool read_only)
      : Object(ObjectKind::kBuffer), data_(data), length_(length), read_only_(read_only) {}

  std::byte* const data_;
  const int64_t length_;
  const bool read_only_;
};

/// A buffer of an allocator.
Ref<Buffer> allocate_buffer(const Ref<Allocator>& allocator, int64_t length);

/// Memory of somebody else; `on_release` runs when the last reference goes, on any thread.
Ref<Buffer> import_buffer(void* data, int64_t length, bool read_only, std::function<void()> on_release);

/// A part of another buffer, which it keeps alive. Fails with an execution error when it does not lie inside.
Ref<Buffer> subspan(Ref<Buffer> parent, int64_t offset, int64_t length);

inline constexpr int kMaxRank = 64;

/// A dense row-major tensor at an offset of a buffer. `dtype` is a code of the instruction set's table.
class BufferView : public Object {
 public:
  /// Fails with an execution error unless the tensor lies inside the buffer.
  BufferView(Ref<Buffer> buffer, int64_t offset, uint32_t dtype, std::span<const int64_t> shape);

  const Ref<Buffer>& buffer() const { return buffer_; }
  int64_t offset() const { return offset_; }
  uint32_t dtype() const { return dtype_; }
  int rank() const { return rank_; }
  std::span<const int64_t> shape() const {
    return {rank_ <= kInlineRank ? inline_.data() : heap_.data(), size_t(rank_)};
  }
  int64_t size_bytes() const { return size_bytes_; }
  /// True when the one holder of the view may hand its memory on without a copy.
  bool is_uniquely_held() const { return reference_count() == 1 && buffer_->is_uniquely_held(); }
  /// The bytes of the tensor as a buffer of their own.
  Ref<Buffer> bytes() const;

 private:
  // Views are made for every call: ranks up to this need no second allocation.
  static constexpr int kInlineRank = 6;

  const Ref<Buffer> buffer_;
  const int64_t offset_;
  const uint32_t dtype_;
  const int rank_;
  int64_t size_bytes_ = 0;
  std::array<int64_t, kInlineRank> inline_;
  std::vector<int64_t> heap_;
};

/// The bytes of a view in a new buffer. The work that writes them must have been awaited.
Ref<Buffer> copy_bytes(const BufferView& view, const Ref<Allocator>& allocator);

}  // namespace tesselle::hal
