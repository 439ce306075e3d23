#pragma once

// An HDF5 file as a tree in memory that can be damaged in its structure, and written again as a
// file that the library itself finds valid. By the C API alone: the wrapper is what is tested.
#include <hdf5.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "mutation.hpp"

namespace ocellus::fuzz {

struct Value {
  enum class Type {
    f16,
    f32,
    f64,
    i8,
    i32,
    i64,
    u8,
    u64,
    boolean,
    vlen_text,
    fixed_text,
    compound,
    opaque
  };
  Type type = Type::f32;
  bool null_space = false;
  std::vector<hsize_t> extents;  ///< none: scalar
  std::vector<double> numbers;
  std::vector<std::string> texts;
  bool is_text() const { return type == Type::vlen_text || type == Type::fixed_text; }
};

struct Node {
  enum class Kind {
    group,
    dataset,
    soft_link,
    external_link,
    parent_link,
    virtual_data,
    external_data,
    unallocated,
    compressed
  };
  Kind kind = Kind::group;
  std::string name;
  Value value;
  std::vector<std::pair<std::string, Value>> attributes;
  std::vector<Node> children;
};

Node read_tree(const std::filesystem::path& file);
void write_tree(const Node& root, const std::filesystem::path& file);
/// One to three mutations: of names, links, types, shapes, values, texts.
void damage(Node& root, Dice& dice);

}  // namespace ocellus::fuzz
