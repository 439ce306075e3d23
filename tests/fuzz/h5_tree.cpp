#include "h5_tree.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace ocellus::fuzz {
namespace {

using Type = Value::Type;

hid_t check(hid_t id, const char* what) {
  if (id < 0) throw std::runtime_error(std::string("HDF5: ") + what);
  return id;
}

// --- reading what Keras wrote: numbers and strings

size_t count_of(const std::vector<hsize_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), size_t{1},
                         [](size_t a, hsize_t b) { return a * static_cast<size_t>(b); });
}

Type type_of(hid_t type) {
  const size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return H5Tis_variable_str(type) > 0 ? Type::vlen_text : Type::fixed_text;
    case H5T_FLOAT:
      return size == 2 ? Type::f16 : size == 4 ? Type::f32 : Type::f64;
    case H5T_ENUM:
      return Type::boolean;
    case H5T_OPAQUE:
    case H5T_COMPOUND:
      return Type::opaque;
    default:
      return size == 1 ? Type::u8 : size == 4 ? Type::i32 : Type::i64;
  }
}

template <class Read>
Value read_value(hid_t type, hid_t space, const Read& read) {
  Value v;
  v.type = type_of(type);
  v.null_space = H5Sget_simple_extent_type(space) == H5S_NULL;
  if (v.null_space) return v;
  v.extents.resize(static_cast<size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, v.extents.data(), nullptr);
  const size_t n = count_of(v.extents);
  if (n == 0) return v;
  if (v.type == Type::vlen_text) {
    std::vector<char*> texts(n, nullptr);
    check(read(type, texts.data()), "read");
    for (const char* t : texts) v.texts.emplace_back(t ? t : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
  } else if (v.type == Type::fixed_text) {
    const size_t width = H5Tget_size(type);
    std::vector<char> bytes(n * width);
    check(read(type, bytes.data()), "read");
    for (size_t i = 0; i < n; ++i)
      v.texts.emplace_back(&bytes[i * width], strnlen(&bytes[i * width], width));
  } else {
    v.numbers.resize(n);
    if (v.type != Type::boolean && v.type != Type::opaque)
      check(read(H5T_NATIVE_DOUBLE, v.numbers.data()), "read");
  }
  return v;
}

herr_t read_attribute(hid_t object, const char* name, const H5A_info_t*, void* out) {
  const hid_t a = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(a),
              space = H5Aget_space(a);
  static_cast<Node*>(out)->attributes.emplace_back(
      name,
      read_value(type, space, [&](hid_t memory, void* to) { return H5Aread(a, memory, to); }));
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(a);
  return 0;
}

void read_node(hid_t object, Node& node);

herr_t read_child(hid_t group, const char* name, const H5L_info_t*, void* out) {
  const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  Node child;
  child.name = name;
  read_node(object, child);
  static_cast<Node*>(out)->children.push_back(std::move(child));
  H5Oclose(object);
  return 0;
}

void read_node(hid_t object, Node& node) {
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, read_attribute, &node);
  if (H5Iget_type(object) == H5I_DATASET) {
    node.kind = Node::Kind::dataset;
    const hid_t type = H5Dget_type(object), space = H5Dget_space(object);
    node.value = read_value(type, space, [&](hid_t memory, void* to) {
      return H5Dread(object, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
    });
    H5Sclose(space);
    H5Tclose(type);
  } else {
    H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, read_child, &node);
  }
}

// --- writing

hid_t file_type(const Value& v) {
  const auto text = [](size_t width) {
    const hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, width);
    return t;
  };
  switch (v.type) {
    case Type::f16: {
      const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
      H5Tset_fields(t, 15, 10, 5, 0, 10);
      H5Tset_size(t, 2);
      H5Tset_ebias(t, 15);
      return t;
    }
    case Type::f32:
      return H5Tcopy(H5T_IEEE_F32LE);
    case Type::f64:
      return H5Tcopy(H5T_IEEE_F64LE);
    case Type::i8:
      return H5Tcopy(H5T_STD_I8LE);
    case Type::i32:
      return H5Tcopy(H5T_STD_I32LE);
    case Type::i64:
      return H5Tcopy(H5T_STD_I64LE);
    case Type::u8:
      return H5Tcopy(H5T_STD_U8LE);
    case Type::u64:
      return H5Tcopy(H5T_STD_U64LE);
    case Type::boolean: {
      const hid_t t = H5Tenum_create(H5T_NATIVE_INT8);
      for (int8_t i = 0; i < 2; ++i) H5Tenum_insert(t, i ? "TRUE" : "FALSE", &i);
      return t;
    }
    case Type::vlen_text:
      return text(H5T_VARIABLE);
    case Type::fixed_text: {
      size_t width = 1;
      for (const std::string& t : v.texts) width = std::max(width, t.size());
      return text(width);
    }
    case Type::compound: {
      const hid_t t = H5Tcreate(H5T_COMPOUND, 8);
      H5Tinsert(t, "a", 0, H5T_NATIVE_FLOAT);
      H5Tinsert(t, "b", 4, H5T_NATIVE_FLOAT);
      return t;
    }
    case Type::opaque:
      return H5Tcreate(H5T_OPAQUE, 3);
  }
  return -1;
}

hid_t space_of(const Value& v) {
  if (v.null_space) return H5Screate(H5S_NULL);
  if (v.extents.empty()) return H5Screate(H5S_SCALAR);
  return H5Screate_simple(static_cast<int>(v.extents.size()), v.extents.data(), nullptr);
}

// Hands `write` the value in a memory type; what has no elements, or no numbers, is left as it is.
template <class Write>
void write_value(const Value& v, hid_t type, const Write& write) {
  const size_t n = v.null_space ? 0 : count_of(v.extents);
  if (n == 0 || n > 1 << 22) return;
  if (v.is_text()) {
    std::vector<std::string> texts = v.texts;
    texts.resize(n);
    if (v.type == Type::vlen_text) {
      std::vector<const char*> pointers;
      for (const std::string& t : texts) pointers.push_back(t.c_str());
      write(type, pointers.data());
    } else {
      const size_t width = H5Tget_size(type);
      std::vector<char> bytes(n * width);
      for (size_t i = 0; i < n; ++i)
        std::memcpy(&bytes[i * width], texts[i].data(), std::min(width, texts[i].size()));
      write(type, bytes.data());
    }
  } else if (v.type != Type::boolean && v.type != Type::compound && v.type != Type::opaque) {
    std::vector<double> numbers = v.numbers;
    numbers.resize(n, 0.25);
    write(H5T_NATIVE_DOUBLE, numbers.data());
  } else {
    const std::vector<char> bytes(n * H5Tget_size(type), 1);
    write(type, bytes.data());
  }
}

void write_attributes(hid_t object, const Node& node) {
  for (const auto& [name, v] : node.attributes) {
    const hid_t type = file_type(v), space = space_of(v);
    // What HDF5 refuses (a name that stands twice, 64 KB in a header) is left out.
    const hid_t a = H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0) {
      write_value(v, type, [&](hid_t memory, const void* from) { H5Awrite(a, memory, from); });
      H5Aclose(a);
    }
    H5Sclose(space);
    H5Tclose(type);
  }
}

void set_layout(hid_t layout, hid_t space, const Node& node) {
  const Value& v = node.value;
  if (v.extents.empty() || v.null_space) return;
  if (node.kind == Node::Kind::external_data) {
    H5Pset_external(layout, "/etc/hostname", 0, H5F_UNLIMITED);
  } else if (node.kind == Node::Kind::virtual_data) {
    H5Pset_virtual(layout, space, "other.h5", "x", space);
  } else if (node.kind == Node::Kind::unallocated || node.kind == Node::Kind::compressed) {
    std::vector<hsize_t> chunk(v.extents.size(), 1);
    chunk.back() = std::clamp<hsize_t>(v.extents.back(), 1, 64);
    H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
    if (node.kind == Node::Kind::compressed) H5Pset_deflate(layout, 9);
  }
}

void write_dataset(hid_t parent, const Node& node) {
  const Value& v = node.value;
  const hid_t type = file_type(v), space = space_of(v), layout = H5Pcreate(H5P_DATASET_CREATE);
  set_layout(layout, space, node);
  const hid_t d =
      H5Dcreate2(parent, node.name.c_str(), type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  if (d >= 0) {
    if (node.kind == Node::Kind::dataset || node.kind == Node::Kind::compressed)
      write_value(v, type, [&](hid_t memory, const void* from) {
        H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, from);
      });
    write_attributes(d, node);
    H5Dclose(d);
  }
  H5Pclose(layout);
  H5Sclose(space);
  H5Tclose(type);
}

void write_children(hid_t group, const Node& node) {
  for (const Node& child : node.children) {
    const char* name = child.name.c_str();
    switch (child.kind) {
      case Node::Kind::group: {
        const hid_t g = H5Gcreate2(group, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (g < 0) break;
        write_attributes(g, child);
        write_children(g, child);
        H5Gclose(g);
        break;
      }
      case Node::Kind::soft_link:
        H5Lcreate_soft("/model_weights", group, name, H5P_DEFAULT, H5P_DEFAULT);
        break;
      case Node::Kind::external_link:
        H5Lcreate_external("/etc/passwd", "/x", group, name, H5P_DEFAULT, H5P_DEFAULT);
        break;
      case Node::Kind::parent_link:  // a circle
        H5Lcreate_hard(group, ".", group, name, H5P_DEFAULT, H5P_DEFAULT);
        break;
      default:
        write_dataset(group, child);
    }
  }
}

// --- damage

void collect(Node& node, std::vector<Node*>& all) {
  all.push_back(&node);
  for (Node& child : node.children) collect(child, all);
}

void damage_extents(Value& v, Dice& dice) {
  static const std::vector<hsize_t> odd = {0, 1, 2, 3, 5, 1000, hsize_t{1} << 31, hsize_t{1} << 33};
  switch (dice.below(5)) {
    case 0:
      std::reverse(v.extents.begin(), v.extents.end());
      break;
    case 1:
      if (!v.extents.empty()) v.extents[dice.below(v.extents.size())] = dice.of(odd);
      break;
    case 2:
      v.extents.insert(v.extents.begin() + static_cast<ptrdiff_t>(dice.below(v.extents.size() + 1)),
                       dice.one_in(3) ? 7 : 1);
      break;
    case 3:
      if (!v.extents.empty()) v.extents.pop_back();
      break;
    default:
      v.null_space = dice.one_in(3);
      v.extents.assign(dice.below(8), 2);
  }
}

void damage(Value& v, Dice& dice) {
  switch (dice.below(4)) {
    case 0:
      v.type = static_cast<Type>(dice.below(static_cast<size_t>(Type::opaque) + 1));
      break;
    case 1:
      damage_extents(v, dice);
      break;
    default:
      if (!v.texts.empty()) {
        damage_document(v.texts[dice.below(v.texts.size())], dice);
      } else if (!v.numbers.empty()) {
        static const std::vector<double> odd = {std::nan(""), HUGE_VAL, -HUGE_VAL, 0,
                                                1e38,         -1,       1e-45,     1e300};
        v.numbers[dice.below(v.numbers.size())] = dice.of(odd);
      } else {
        v.texts = {"x"};
        v.type = Type::vlen_text;
      }
  }
}

void damage_attributes(Node& node, Dice& dice) {
  const size_t i = dice.below(node.attributes.size()), j = dice.below(node.attributes.size());
  switch (dice.below(6)) {
    case 0:
      node.attributes.erase(node.attributes.begin() + static_cast<ptrdiff_t>(i));
      break;
    case 1:
      std::swap(node.attributes[i].second, node.attributes[j].second);
      break;
    case 2:
      damage(node.attributes[i].first, dice);
      break;
    default:
      damage(node.attributes[i].second, dice);
  }
}

void damage_children(Node& node, Dice& dice) {
  const size_t i = dice.below(node.children.size()), j = dice.below(node.children.size());
  switch (dice.below(6)) {
    case 0:
      node.children.erase(node.children.begin() + static_cast<ptrdiff_t>(i));
      break;
    case 1:
      std::swap(node.children[i].name, node.children[j].name);
      break;
    case 2:
      damage(node.children[i].name, dice);
      break;
    case 3: {
      Node copy = node.children[i];
      copy.name += "_1";
      node.children.push_back(std::move(copy));
      break;
    }
    default:
      node.children[i].kind =
          static_cast<Node::Kind>(dice.below(static_cast<size_t>(Node::Kind::compressed) + 1));
  }
}

}  // namespace

Node read_tree(const std::filesystem::path& file) {
  const hid_t f = check(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), "open");
  const hid_t object = H5Oopen(f, "/", H5P_DEFAULT);
  Node root;
  read_node(object, root);
  H5Oclose(object);
  H5Fclose(f);
  return root;
}

void write_tree(const Node& root, const std::filesystem::path& file) {
  const hid_t f = check(H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), "create");
  const hid_t object = H5Gopen2(f, "/", H5P_DEFAULT);
  write_attributes(object, root);
  write_children(object, root);
  H5Gclose(object);
  H5Fclose(f);
}

void damage(Node& root, Dice& dice) {
  for (size_t i = 1 + dice.below(3); i > 0; --i) {
    std::vector<Node*> all;
    collect(root, all);
    // The root holds the documents: a third of the damage is done to them.
    Node& node = dice.one_in(3) ? root : *dice.of(all);
    if (!node.attributes.empty() && dice.one_in(2))
      damage_attributes(node, dice);
    else if (!node.children.empty())
      damage_children(node, dice);
    else
      damage(node.value, dice);
  }
}

}  // namespace ocellus::fuzz
