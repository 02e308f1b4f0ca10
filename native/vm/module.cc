#include "vm/module.h"

#include <bit>
#include <cstring>

#include "base/error.h"

namespace tesselle::vm {
namespace {

static_assert(std::endian::native == std::endian::little, "bytecode is read in place");

constexpr uint32_t kFormatVersion = 1;
constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr size_t kHeaderSize = 64;
constexpr uint32_t kMaxRegisters = 1 << 20;

/// Cuts the file into sections.
class Sections {
 public:
  explicit Sections(std::span<const std::byte> data) : data_(data) {}

  std::span<const std::byte> take(uint64_t size, const char* what) {
    if (size > data_.size() - position_) {
      fail_artifact(std::string("host.vm: ") + what + " reaches past the end of the file");
    }
    const auto part = data_.subspan(position_, size);
    position_ += size;
    return part;
  }
  bool at_end() const { return position_ == data_.size(); }

 private:
  std::span<const std::byte> data_;
  size_t position_ = 0;
};

uint32_t word(std::span<const std::byte> data, size_t index) {
  uint32_t value = 0;
  std::memcpy(&value, data.data() + 4 * index, sizeof value);
  return value;
}

void require(bool condition, const std::string& what) {
  if (!condition) fail_artifact("host.vm: " + what);
}

uint64_t padded(uint64_t size) { return (size + 3) / 4 * 4; }

}  // namespace

const Function* Module::find(const std::string& name) const {
  for (const Function& function : functions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

Module parse_module(std::span<const std::byte> data) {
  Sections sections(data);
  const auto header = sections.take(kHeaderSize, "the header");
  require(std::memcmp(header.data(), "TSLV", 4) == 0, "not a host program (no magic number)");
  require(word(header, 1) == kFormatVersion && word(header, 2) <= kIsaVersion,
          "written for a newer runtime: update Tesselle");
  const uint32_t string_count = word(header, 3);
  const uint32_t global_count = word(header, 4);
  const uint32_t function_count = word(header, 5);
  const uint32_t initializer = word(header, 6);
  const uint32_t string_bytes = word(header, 7);
  const uint32_t type_bytes = word(header, 8);
  const uint32_t code_words = word(header, 9);
  for (size_t i = 10; i < kHeaderSize / 4; ++i) require(word(header, i) == 0, "a reserved field is not zero");

  const auto string_table = sections.take(uint64_t{8} * string_count, "the string table");
  const auto global_table = sections.take(uint64_t{16} * global_count, "the global table");
  const auto function_table = sections.take(uint64_t{32} * function_count, "the function table");
  const auto string_data = sections.take(padded(string_bytes), "the string data");
  const auto type_data = sections.take(padded(type_bytes), "the type data");
  const auto code = sections.take(uint64_t{4} * code_words, "the code");
  require(sections.at_end(), "data after the code");

  Module module;
  for (size_t i = 0; i < string_count; ++i) {
    const uint32_t offset = word(string_table, 2 * i);
    const uint32_t size = word(string_table, 2 * i + 1);
    require(offset <= string_bytes && size <= string_bytes - offset, "a string reaches past the string data");
    module.strings.emplace_back(reinterpret_cast<const char*>(string_data.data()) + offset, size);
  }
  const auto string = [&](uint32_t index) -> const std::string& {
    require(index < string_count, "string " + std::to_string(index) + " of " + std::to_string(string_count));
    return module.strings[index];
  };
  const auto type_at = [&](uint32_t index) {
    const auto value = std::to_integer<uint8_t>(type_data[index]);
    require(value <= static_cast<uint8_t>(RegisterType::kRef), "unknown register type " + std::to_string(value));
    return static_cast<RegisterType>(value);
  };

  for (size_t i = 0; i < global_count; ++i) {
    Global global;
    global.name = string(word(global_table, 4 * i));
    const uint32_t type = word(global_table, 4 * i + 1);
    require(type <= static_cast<uint32_t>(RegisterType::kRef), "global '" + global.name + "' has an unknown type");
    global.type = static_cast<RegisterType>(type);
    global.initial = word(global_table, 4 * i + 2) | uint64_t{word(global_table, 4 * i + 3)} << 32;
    // Anything else would be taken for the address of an object.
    require(global.type != RegisterType::kRef || global.initial == 0, "reference '" + global.name + "' is not null");
    module.globals.push_back(std::move(global));
  }

  module.code.resize(code_words);
  if (code_words > 0) std::memcpy(module.code.data(), code.data(), code.size());
  for (size_t i = 0; i < function_count; ++i) {
    const auto field = [&](size_t index) { return word(function_table, 8 * i + index); };
    Function function;
    function.name = string(field(0));
    const std::string place = "function '" + function.name + "': ";
    require(field(1) <= 1, place + "unknown flags");
    function.exported = field(1) == 1;
    function.argument_count = field(2);
    const uint32_t result_count = field(3);
    const uint32_t register_count = field(4);
    const uint32_t first_type = field(5);
    require(register_count <= kMaxRegisters, place + "too many registers");
    require(function.argument_count <= register_count, place + "more arguments than registers");
    require(uint64_t{first_type} + register_count + result_count <= type_bytes, place + "types past the type data");
    for (uint32_t r = 0; r < register_count; ++r) {
      function.registers.push_back(type_at(first_type + r));
      if (function.registers.back() == RegisterType::kRef) function.references.push_back(r);
    }
    for (uint32_t r = 0; r < result_count; ++r) function.results.push_back(type_at(first_type + register_count + r));
    require(uint64_t{field(6)} + field(7) <= code_words, place + "code past the end");
    function.code = std::span<const uint32_t>(module.code).subspan(field(6), field(7));
    require(module.find(function.name) == nullptr, place + "appears twice");
    module.functions.push_back(std::move(function));
  }

  if (initializer != kNone) {
    require(initializer < function_count, "initializer is function " + std::to_string(initializer));
    const Function& function = module.functions[initializer];
    require(function.argument_count == 0 && function.results.empty(), "the initializer has arguments or results");
    module.initializer = initializer;
  }
  return module;
}

}  // namespace tesselle::vm
