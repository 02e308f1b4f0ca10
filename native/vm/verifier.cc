#include <string>
#include <vector>

#include "base/error.h"
#include "hal/buffer.h"
#include "vm/module.h"

namespace tesselle::vm {
namespace {

const char* type_name(RegisterType type) {
  static constexpr const char* kNames[] = {"i32", "i64", "f32", "f64", "ref"};
  return kNames[static_cast<size_t>(type)];
}

/// Verifies one function, instruction by instruction.
class FunctionVerifier {
 public:
  FunctionVerifier(const Module& module, const Environment& environment, const Function& function)
      : module_(module), environment_(environment), function_(function) {}

  void run() {
    const auto size = static_cast<uint32_t>(function_.code.size());
    std::vector<bool> starts(size, false);
    const InstructionInfo* last = nullptr;
    for (at_ = 0; at_ < size; at_ = end_) {
      starts[at_] = true;
      last = instruction(size);
    }
    at_ = size;
    require(last && last->is_terminator, "control can run off the end");
    for (const uint32_t target : labels_) {
      at_ = target;
      info_ = nullptr;
      require(target < size && starts[target], "a label that is not the place of an instruction");
    }
  }

 private:
  void require(bool condition, const std::string& what) const {
    if (condition) return;
    std::string place = "host.vm: function '" + function_.name + "', word " + std::to_string(at_);
    if (info_) place += std::string(" (") + info_->name + ")";
    fail_artifact(place + ": " + what);
  }

  uint32_t next() {
    require(position_ < end_, "an instruction is cut off");
    return function_.code[position_++];
  }

  const InstructionInfo* instruction(uint32_t size) {
    info_ = nullptr;
    const uint32_t head = function_.code[at_];
    const uint32_t opcode = head & 0xFFFF;
    info_ = instruction_info(opcode);
    require(info_ != nullptr, "unknown opcode " + std::to_string(opcode));
    const uint32_t length = head >> 16;
    require(length > 0 && length <= size - at_, "malformed length");
    position_ = at_ + 1;
    end_ = at_ + length;
    operands_.clear();
    for (int i = 0; i < info_->result_count + info_->operand_count; ++i) operand(info_->kinds[i]);
    require(position_ == end_, "more words than operands");
    meaning(static_cast<Opcode>(opcode));
    return info_;
  }

  uint32_t register_of(RegisterType type) {
    const uint32_t index = any_register();
    const RegisterType found = function_.registers[index];
    require(found == type, "r" + std::to_string(index) + " has type " + type_name(found) + ", not " + type_name(type));
    return index;
  }

  uint32_t any_register() {
    const uint32_t index = next();
    require(index < function_.registers.size(), "there is no register r" + std::to_string(index));
    return index;
  }

  uint32_t index_below(size_t limit, const char* what) {
    const uint32_t index = next();
    require(index < limit, std::string(what) + " " + std::to_string(index) + " of " + std::to_string(limit));
    return index;
  }

  uint32_t list_count(uint32_t words_each) {
    const uint32_t count = next();
    require(uint64_t{count} * words_each <= end_ - position_, "a list does not fit its instruction");
    return count;
  }

  /// Checks one operand, and keeps its first word (of a list: where its count stands) for meaning().
  void operand(OperandKind kind) {
    const uint32_t place = position_;
    switch (kind) {
      case OperandKind::kI32:
      case OperandKind::kI64:
      case OperandKind::kF32:
      case OperandKind::kF64:
      case OperandKind::kRef:
        operands_.push_back(register_of(static_cast<RegisterType>(kind)));
        return;
      case OperandKind::kImmI32:
      case OperandKind::kImmF32:
        operands_.push_back(next());
        return;
      case OperandKind::kImmI64:
      case OperandKind::kImmF64:
        operands_.push_back(next());
        next();
        return;
      case OperandKind::kDtype: {
        const uint32_t code = next();
        require(dtype_info(code) != nullptr, "unknown element type " + std::to_string(code));
        operands_.push_back(code);
        return;
      }
      case OperandKind::kLabel:
        labels_.push_back(next());
        operands_.push_back(labels_.back());
        return;
      case OperandKind::kFunction:
        operands_.push_back(index_below(module_.functions.size(), "function"));
        return;
      case OperandKind::kString:
        operands_.push_back(index_below(module_.strings.size(), "string"));
        return;
      case OperandKind::kGlobal:
        operands_.push_back(index_below(module_.globals.size(), "global"));
        return;
      case OperandKind::kRegisters:
      case OperandKind::kI64List:
      case OperandKind::kRefList: {
        const uint32_t count = list_count(1);
        for (uint32_t i = 0; i < count; ++i) {
          if (kind == OperandKind::kRegisters) {
            any_register();
          } else {
            register_of(kind == OperandKind::kI64List ? RegisterType::kI64 : RegisterType::kRef);
          }
        }
        operands_.push_back(place);
        return;
      }
      case OperandKind::kBindings: {
        const uint32_t count = list_count(4);
        for (uint32_t i = 0; i < count; ++i) {
          next();  // the slot: checked against the command buffer when it is recorded
          register_of(RegisterType::kI64);
          register_of(RegisterType::kI64);
          require(next() <= 3, "unknown access mask");
        }
        operands_.push_back(place);
        return;
      }
    }
    require(false, "unknown kind of operand");
  }

  void signature(uint32_t place, std::span<const RegisterType> types, const char* what) {
    const uint32_t count = function_.code[place];
    require(count == types.size(),
            std::to_string(count) + " " + what + " where " + std::to_string(types.size()) + " are expected");
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t index = function_.code[place + 1 + i];
      const RegisterType found = function_.registers[index];
      require(found == types[i], std::string(what) + " " + std::to_string(i) + " has type " + type_name(found) +
                                     ", not " + type_name(types[i]));
    }
  }

  void global_type(size_t operand_index, RegisterType type) {
    const Global& global = module_.globals[operands_[operand_index]];
    require(global.type == type, "global '" + global.name + "' has type " + type_name(global.type));
  }

  /// The rules that tie operands to one another and to the rest of the artifact.
  void meaning(Opcode opcode) {
    switch (opcode) {
      case Opcode::CALL: {
        const Function& callee = module_.functions[operands_[1]];
        signature(operands_[0], callee.results, "results");
        signature(operands_[2], std::span(callee.registers).first(callee.argument_count), "arguments");
        return;
      }
      case Opcode::RETURN:
        signature(operands_[0], function_.results, "results");
        return;
      case Opcode::GLOBAL_LOAD_I32:
      case Opcode::GLOBAL_LOAD_I64:
      case Opcode::GLOBAL_LOAD_F32:
      case Opcode::GLOBAL_LOAD_F64:
      case Opcode::GLOBAL_LOAD_REF:
        global_type(1, static_cast<RegisterType>(info_->kinds[0]));
        return;
      case Opcode::GLOBAL_STORE_I32:
      case Opcode::GLOBAL_STORE_I64:
      case Opcode::GLOBAL_STORE_F32:
      case Opcode::GLOBAL_STORE_F64:
      case Opcode::GLOBAL_STORE_REF:
        global_type(0, static_cast<RegisterType>(info_->kinds[1]));
        return;
      case Opcode::HAL_CONSTANT:
        require(operands_[1] < environment_.constant_count,
                "constant " + std::to_string(operands_[1]) + " of " + std::to_string(environment_.constant_count));
        return;
      case Opcode::HAL_HOST_CALL:
        require(operands_[0] < environment_.host_function_count, "host function " + std::to_string(operands_[0]) +
                                                                     " of " +
                                                                     std::to_string(environment_.host_function_count));
        return;
      case Opcode::HAL_VIEW_CREATE:
        require(function_.code[operands_[4]] <= hal::kMaxRank, "a shape of too high a rank");
        return;
      case Opcode::HAL_COMMAND_BUFFER_DISPATCH:
        dispatch();
        return;
      case Opcode::HAL_COMMAND_CACHE_FIND:
        global_type(2, RegisterType::kRef);
        cache_key(3);
        return;
      case Opcode::HAL_COMMAND_CACHE_KEEP:
        global_type(0, RegisterType::kRef);
        cache_key(1);
        return;
      default:
        return;
    }
  }

  void cache_key(size_t operand_index) {
    require(function_.code[operands_[operand_index]] <= 64, "a key of more than 64 numbers");
  }

  void dispatch() {
    const auto& executables = environment_.executables;
    const uint32_t executable = operands_[1];
    require(executable < executables.size(),
            "executable " + std::to_string(executable) + " of " + std::to_string(executables.size()));
    const auto& entries = executables[executable];
    const uint32_t entry = operands_[2];
    require(entry < entries.size(), "entry " + std::to_string(entry) + " of " + std::to_string(entries.size()));
    const uint32_t push = function_.code[operands_[6]];
    const uint32_t bindings = function_.code[operands_[7]];
    require(push == entries[entry].push_count && bindings == entries[entry].binding_count,
            std::to_string(bindings) + " bindings and " + std::to_string(push) + " push constants for an entry of " +
                std::to_string(entries[entry].binding_count) + " and " + std::to_string(entries[entry].push_count));
  }

  const Module& module_;
  const Environment& environment_;
  const Function& function_;
  const InstructionInfo* info_ = nullptr;
  uint32_t at_ = 0;
  uint32_t position_ = 0;
  uint32_t end_ = 0;
  std::vector<uint32_t> operands_;
  std::vector<uint32_t> labels_;
};

}  // namespace

void verify_module(const Module& module, const Environment& environment) {
  for (const Function& function : module.functions) FunctionVerifier(module, environment, function).run();
}

}  // namespace tesselle::vm
