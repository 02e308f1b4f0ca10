#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tesselle/isa.h"

namespace tesselle::vm {

/// A function of a module. Its first registers are its arguments.
struct Function {
  std::string name;
  bool exported = false;
  uint32_t argument_count = 0;
  std::vector<RegisterType> registers;
  std::vector<RegisterType> results;
  /// The registers that hold references: a frame that ends lets go of these.
  std::vector<uint32_t> references;
  std::span<const uint32_t> code;
};

/// A variable of a session; `initial` holds the bits of its first value.
struct Global {
  std::string name;
  RegisterType type = RegisterType::kI32;
  uint64_t initial = 0;
};

/// A host program in memory: parsed, and to be verified before it runs.
struct Module {
  std::vector<std::string> strings;
  std::vector<Global> globals;
  std::vector<Function> functions;
  /// Index of the function that sets up a new session, -1 for none.
  int64_t initializer = -1;
  std::vector<uint32_t> code;

  const Function* find(const std::string& name) const;
};

/// What the bytecode may name by number: what the rest of the artifact holds.
struct Environment {
  struct Entry {
    uint32_t binding_count;
    uint32_t push_count;
  };
  size_t constant_count = 0;
  size_t host_function_count = 0;
  std::vector<std::vector<Entry>> executables;
};

/// Reads host.vm (its layout is in src/tesselle/artifact/vm_encoding.py). Fails with an artifact error.
Module parse_module(std::span<const std::byte> data);

/// Checks every word: opcodes, lengths, registers and their types, labels, list counts, signatures, indices, and that
/// control cannot run off the end of a function. What depends on values (bounds, slots, kinds of references) is checked
/// by the instructions when they run. Fails with an artifact error that names function, word and rule.
void verify_module(const Module& module, const Environment& environment);

}  // namespace tesselle::vm
