#include "image/flat_image.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "base/error.h"

namespace tesselle::image {
namespace {

constexpr size_t kHeaderSize = 64;
constexpr size_t kEntrySize = 24;
constexpr uint32_t kMaxEntries = 1 << 20;
constexpr uint64_t kMaxLocalMemory = uint64_t{64} << 20;
constexpr uint32_t kMaxBindings = 1 << 12;

class FlatImage final : public hal::Executable {
 public:
  FlatImage(std::span<const std::byte> code, std::vector<hal::Entry> entries, std::span<const uint64_t> offsets,
            const char* name, int index)
      : Executable(index) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
    size_ = (code.size() + page - 1) / page * page;
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) fail_artifact(std::string(name) + ": no memory for its code");
    std::memcpy(memory_, code.data(), code.size());
    if (mprotect(memory_, size_, PROT_READ | PROT_EXEC) != 0) {
      munmap(memory_, size_);
      fail_artifact(std::string(name) + ": this system does not allow its code to be executed");
    }
    __builtin___clear_cache(static_cast<char*>(memory_), static_cast<char*>(memory_) + size_);
    entries_ = std::move(entries);
    for (size_t i = 0; i < entries_.size(); ++i) {
      entries_[i].function = reinterpret_cast<hal::KernelFunction>(static_cast<char*>(memory_) + offsets[i]);
    }
  }
  ~FlatImage() override { munmap(memory_, size_); }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

template <typename T>
T read(std::span<const std::byte> data, size_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

bool all_zero(std::span<const std::byte> data) {
  for (const std::byte b : data) {
    if (b != std::byte{0}) return false;
  }
  return true;
}

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? 0xEDB88320U ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}

}  // namespace

uint16_t host_machine() {
#if defined(__x86_64__)
  return kMachineX86_64;
#elif defined(__aarch64__)
  return kMachineAArch64;
#else
  return 0;
#endif
}

uint32_t crc32(std::span<const std::byte> data) {
  static constexpr auto kTable = make_crc_table();
  uint32_t crc = ~uint32_t{0};
  for (const std::byte b : data) crc = kTable[(crc ^ std::to_integer<uint32_t>(b)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

Ref<hal::Executable> load_flat_image(std::span<const std::byte> image, const char* name, int index) {
  const auto require = [&](bool condition, const char* what) {
    if (!condition) fail_artifact(std::string(name) + ": " + what);
  };
  require(image.size() >= kHeaderSize, "shorter than the header of an image");
  require(std::memcmp(image.data(), "TSLX", 4) == 0, "not a flat image (no magic number)");
  require(read<uint16_t>(image, 4) == 1, "an image of a version that this runtime does not know");
  require(read<uint16_t>(image, 6) == host_machine(), "an image for another kind of processor");
  const auto entry_count = read<uint32_t>(image, 8);
  require(read<uint32_t>(image, 12) == 0, "a reserved field of the header is not zero");
  const auto image_size = read<uint64_t>(image, 16);
  const auto code_offset = read<uint64_t>(image, 24);
  const auto code_size = read<uint64_t>(image, 32);
  const auto checksum = read<uint32_t>(image, 40);
  require(all_zero(image.subspan(44, kHeaderSize - 44)), "a reserved field of the header is not zero");
  require(image_size == image.size(), "its size is not what its header says");
  require(entry_count <= kMaxEntries, "too many entries");
  const size_t table_end = kHeaderSize + size_t{entry_count} * kEntrySize;
  require(table_end <= image.size(), "the entry table reaches past the end");
  require(code_offset % 64 == 0 && code_offset >= table_end && code_offset <= image.size(), "malformed code offset");
  require(code_size == image.size() - code_offset, "malformed code size");
  require(code_size > 0 || entry_count == 0, "entries without code");
  require(all_zero(image.subspan(table_end, code_offset - table_end)), "padding is not zero");
  const auto code = image.subspan(code_offset);
  require(crc32(code) == checksum, "the code's checksum does not match");

  std::vector<hal::Entry> entries(entry_count);
  std::vector<uint64_t> offsets(entry_count);
  for (uint32_t i = 0; i < entry_count; ++i) {
    const size_t at = kHeaderSize + i * kEntrySize;
    offsets[i] = read<uint64_t>(image, at);
    const auto local_memory = read<uint64_t>(image, at + 8);
    entries[i].binding_count = read<uint32_t>(image, at + 16);
    entries[i].push_count = read<uint32_t>(image, at + 20);
    entries[i].local_memory_bytes = static_cast<int64_t>(local_memory);
    require(offsets[i] < code_size, "an entry begins outside the code");
    require(local_memory <= kMaxLocalMemory, "an entry asks for more than 64 MiB of local memory");
    require(entries[i].binding_count <= kMaxBindings && entries[i].push_count <= kMaxBindings,
            "an entry has too many bindings or push constants");
  }
  if (code_size == 0) {
    // Nothing to map: one page that is never entered.
    static constexpr std::byte kNothing[1] = {};
    return make_ref<FlatImage>(std::span<const std::byte>(kNothing), std::move(entries), offsets, name, index);
  }
  return make_ref<FlatImage>(code, std::move(entries), offsets, name, index);
}

}  // namespace tesselle::image
