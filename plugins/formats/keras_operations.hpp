#pragma once

// What the parts of keras_operations share. Files hold operations of a graph as TFOpLambda and
// SlicingOpLambda (Keras 2.4 and newer), as TensorFlowOpLayer with a NodeDef (TensorFlow 2.1 to
// 2.3), or as classes of keras.ops (Keras 3):
//   keras_operations_read      brings all of them into one form, a record of OperationCall
//   keras_operations_patterns  groups of layers and operations that say one thing together
//   keras_operations           makes layers of operations
//   keras_operations_shapes    those that move, cut and join
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "keras.hpp"
#include "ocellus/core/shape.hpp"

namespace ocellus::keras {

/// "math.reduce_mean", "__operators__.getitem", "TrueDivide", "AddV2" -> our names of functions:
/// "mean", "get_item", "divide", "add".
std::string canonical_function(const std::string& function);
bool is_activation_function(const std::string& function);
bool is_unary_function(const std::string& function);
bool is_reduction(const std::string& function);

/// Stands among arguments for input number `input` of the call.
Json tensor_argument(int input);
bool is_tensor(const Json& argument);

/// One call of an operation: a function's name, and arguments by place and by name.
struct OperationCall {
  std::string function;
  Json positional, named;

  /// `layer` is of type operation_type.
  explicit OperationCall(const LayerRecord& layer);
  /// An argument by its place or one of its names; null where it is not given.
  Json argument(size_t place, std::initializer_list<const char*> names) const;
  Json option(std::initializer_list<const char*> names) const;
};

/// What write_operation() made of layers that Keras lacks becomes these layers again.
void restore_written(GraphRecord& graph);
/// Keras 3 makes BGR of RGB by stack([x[..., 2], x[..., 1], x[..., 0]], axis=-1): one get_item.
void join_channel_picks(GraphRecord& graph);

/// Why an operation has no counterpart among layers.
struct Untranslatable {
  std::string reason;
};

/// What an index does to one axis.
struct AxisIndex {
  Json begin, end, stride;  ///< integers or null, as in Python
  bool dropped = false;     ///< a number: the axis goes
};

/// Puts layers in the place of a graph's operations. The methods that are named like functions
/// throw Untranslatable.
class Translator {
 public:
  Translator(GraphRecord& graph, const Reading& reading) : graph_(graph), reading_(reading) {}
  void run();

 private:
  /// Input number n of the operation, or a layer emitted before by its name.
  using Source = std::variant<int, std::string>;

  // The graph around an operation.
  void append(LayerRecord layer);
  /// Some operations mean different things by the shape of their input; plans know shapes. Where
  /// one cannot be had (a layer that nobody supplies), what comes behind has none either.
  void learn_shapes(const LayerRecord& layer);
  Json open_extents_filled(const LayerRecord& layer);
  const Shape* shape_of(const TensorRef& t) const;
  const Shape& known_shape(int input) const;
  const Shape& fixed_shape(int input) const;
  /// A layer on `sources`. The last one takes the operation's name (empty `suffix`), those before
  /// it "NAME/suffix". Returns its name.
  std::string emit(const std::string& type, Json parameters, const std::vector<Source>& sources,
                   const std::string& suffix = {});
  std::string emit_shape(const std::vector<int>& item, Source x, const std::string& suffix = {});
  void translate(LayerRecord& layer);
  void keep(const OperationCall& c, size_t before, const std::string& reason);
  void emit_function(const OperationCall& c);

  // Arguments.
  static Json first(const OperationCall& c);
  static int input_of(const Json& argument);
  /// Index of the operation's only tensor, which must stand in the first place.
  static int tensor_of(const OperationCall& c) { return input_of(first(c)); }
  std::vector<Source> tensors_of(const OperationCall& c) const;
  std::vector<int> axes_of(const Json& j, int x) const;
  std::vector<int> item_of(int x) const;

  // Arithmetic.
  void binary(const OperationCall& c);
  void merge(const std::string& f, int x, int y);
  void with_constant(const std::string& f, int x, const Json& value, bool reverse);
  void product(int x, size_t factors);
  void clip(const OperationCall& c);
  void cast(const OperationCall& c);
  void activation(const OperationCall& c);
  void unary(const OperationCall& c);
  void reduce(const OperationCall& c);
  void local_response_normalization(const OperationCall& c);

  // Shapes and indices.
  void reshape(const OperationCall& c);
  void expand_dims(const OperationCall& c);
  void squeeze(const OperationCall& c);
  void transpose(const OperationCall& c);
  void concatenate(const OperationCall& c);
  void stack(const OperationCall& c);
  void flip(const OperationCall& c);
  void get_item(const OperationCall& c);
  void slice(const std::vector<AxisIndex>& index, const std::vector<int>& new_axes, int x);
  bool crop(const std::vector<AxisIndex>& index, int x);
  void strided_slice(const OperationCall& c);
  void pad(const OperationCall& c);
  void resize(const OperationCall& c);

  GraphRecord& graph_;
  const Reading& reading_;
  std::map<std::pair<std::string, int>, Shape> shapes_;  ///< (layer, output) -> of the first call
  bool open_ = false;             ///< an input's size is open: extents are not to be relied on
  LayerRecord* layer_ = nullptr;  ///< the operation at hand
};

}  // namespace ocellus::keras
