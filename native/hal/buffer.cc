#include "hal/buffer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"
#include "tesselle/isa.h"

namespace tesselle::hal {
namespace {

class AllocatedBuffer final : public Buffer {
 public:
  AllocatedBuffer(Ref<Allocator> allocator, std::byte* data, int64_t length, int64_t capacity)
      : Buffer(data, length, false), allocator_(std::move(allocator)), capacity_(capacity) {}
  ~AllocatedBuffer() override { allocator_->free(data_, capacity_); }
  bool is_uniquely_held() const override { return reference_count() == 1; }
  int64_t retained_bytes() const override { return capacity_; }

 private:
  const Ref<Allocator> allocator_;
  const int64_t capacity_;
};

class ImportedBuffer final : public Buffer {
 public:
  ImportedBuffer(std::byte* data, int64_t length, bool read_only, std::function<void()> on_release)
      : Buffer(data, length, read_only), on_release_(std::move(on_release)) {}
  ~ImportedBuffer() override {
    if (on_release_) on_release_();
  }

 private:
  const std::function<void()> on_release_;
};

class SubspanBuffer final : public Buffer {
 public:
  SubspanBuffer(Ref<Buffer> parent, int64_t offset, int64_t length)
      : Buffer(parent->data() + offset, length, parent->is_read_only()), parent_(std::move(parent)) {}
  bool is_uniquely_held() const override { return reference_count() == 1 && parent_->is_uniquely_held(); }
  int64_t retained_bytes() const override { return parent_->retained_bytes(); }

 private:
  const Ref<Buffer> parent_;
};

void require_inside(const Buffer& buffer, int64_t offset, int64_t length, const char* what) {
  if (offset < 0 || length < 0 || offset > buffer.length() || length > buffer.length() - offset) {
    fail_execution(std::string(what) + " of " + std::to_string(length) + " bytes at offset " + std::to_string(offset) +
                   " is outside its buffer of " + std::to_string(buffer.length()) + " bytes");
  }
}

}  // namespace

Ref<Buffer> allocate_buffer(const Ref<Allocator>& allocator, int64_t length) {
  int64_t capacity = 0;
  std::byte* data = allocator->allocate(length, capacity);
  return make_ref<AllocatedBuffer>(allocator, data, length, capacity);
}

Ref<Buffer> import_buffer(void* data, int64_t length, bool read_only, std::function<void()> on_release) {
  return make_ref<ImportedBuffer>(static_cast<std::byte*>(data), length, read_only, std::move(on_release));
}

Ref<Buffer> subspan(Ref<Buffer> parent, int64_t offset, int64_t length) {
  require_inside(*parent, offset, length, "a range");
  return make_ref<SubspanBuffer>(std::move(parent), offset, length);
}

BufferView::BufferView(Ref<Buffer> buffer, int64_t offset, uint32_t dtype, std::span<const int64_t> shape)
    : Object(ObjectKind::kBufferView),
      buffer_(std::move(buffer)),
      offset_(offset),
      dtype_(dtype),
      rank_(static_cast<int>(shape.size())) {
  const auto* info = vm::dtype_info(dtype);
  if (!info) fail_execution("unknown element type " + std::to_string(dtype));
  if (shape.size() > kMaxRank) fail_execution("rank " + std::to_string(shape.size()) + " is above 64");
  int64_t size = info->size_bytes;
  for (const int64_t dim : shape) {
    if (dim < 0) fail_execution("a dimension of a view is " + std::to_string(dim));
    if (__builtin_mul_overflow(size, dim, &size)) fail_execution("the size of a view overflows");
  }
  require_inside(*buffer_, offset, size, "a view");
  size_bytes_ = size;
  if (rank_ <= kInlineRank) {
    std::copy(shape.begin(), shape.end(), inline_.begin());
  } else {
    heap_.assign(shape.begin(), shape.end());
  }
}

Ref<Buffer> BufferView::bytes() const {
  if (offset_ == 0 && size_bytes_ == buffer_->length()) return buffer_;
  return subspan(buffer_, offset_, size_bytes_);
}

Ref<Buffer> copy_bytes(const BufferView& view, const Ref<Allocator>& allocator) {
  Ref<Buffer> copy = allocate_buffer(allocator, view.size_bytes());
  std::memcpy(copy->data(), view.buffer()->data() + view.offset(), static_cast<size_t>(view.size_bytes()));
  return copy;
}

}  // namespace tesselle::hal
