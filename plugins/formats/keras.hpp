#pragma once

// Keras' saved models, between the file and a ModelDocument. The parts:
//   keras_dialect   one layer's configuration <-> LayerRecord: class names, key aliases, values
//   keras_graph     model_config <-> GraphRecord: Sequential, Functional, nested and shared
//   keras_operations, keras_operations_*  `x[..., ::-1] - mean` and the like -> layers, and back
//   keras_weights   which weights a layer has, in which order a nested model lists them
//   keras_groups    where weights stand in HDF5 models and files of weights
//   keras_variables where they stand in .weights.h5
//   keras_match     the weights of one file for the layers of another model
//   keras_training  how the model was compiled
//   keras_optimizer the optimizer's state
//   keras_own       what Keras has no place for
//   keras_annotate  changing that alone in an HDF5 file
//   keras_hdf5, keras_archive, keras_variables   the formats
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ocellus/core/error.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/model_document.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/progress.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::keras {

/// What reading needs to know of its surroundings, and where it says what it noticed.
struct Reading {
  const Registry& registry;
  int version = 2;       ///< major version of the Keras that saved
  int hard_sigmoid = 2;  ///< whose definition of it the file means
  std::vector<std::string>& warnings;
};

// --- keras_dialect
// -----------------------------------------------------------------------------------------------------

/// A layer by its entry in a file. The record has no calls. An unknown class keeps its name and its
/// configuration as it is. data_format stays, among the foreign keys, until to_channels_last(). An
/// extent of an input that is open is -1.
LayerRecord read_layer(const std::string& class_name, const std::string& name, const Json& config,
                       const Reading& reading);
/// {"class_name", "config"} in the dialect that tf.keras 2.4 and newer and Keras 3 read. `name` is
/// Keras' for it.
Json write_layer(const LayerRecord& layer, const std::string& name, const Registry& registry);
/// Its class as files name it: "Conv2D", "package>MyLayer".
std::string class_name_of(const LayerRecord& layer, const Registry& registry);
/// Whether Keras itself has a layer class of this name.
bool is_keras_layer(const std::string& type);
/// "package>Name" -> "Name".
std::string without_package(const std::string& registered_name);

// --- keras_v1
// ----------------------------------------------------------------------------------------------------------

/// A layer of Keras 1 in the words of Keras 2. Throws DataError naming the layer where Keras 2 has
/// no words for it.
std::pair<std::string, Json> upgrade_v1_layer(const std::string& class_name, const Json& config);
/// "convolution2d_1_W:0" -> "convolution2d_1/kernel:0"; names of later versions stay.
std::string upgrade_v1_weight(const std::string& name);
/// Whether Theano computed the model, whose convolution turns kernels by 180 degrees. `group`: of
/// the weights.
bool is_written_by_theano(const H5Reader& file, const std::string& group, int version);
/// Kernels of convolutions as Keras 2 with TensorFlow has them, (window..., in, out), from what
/// Keras `version` stored. To be called before to_channels_last().
void orient_kernels(const GraphRecord& graph, int version, bool theano,
                    std::vector<WeightsRecord>& weights);
/// Keras 1 does not write PReLU's shared_axes: its weights tell them, being of extent 1 there. To
/// be called before to_channels_last().
void infer_shared_axes(GraphRecord& graph, const std::vector<WeightsRecord>& weights);
/// What of a graph Theano computes otherwise than TensorFlow and Ocellus do: warnings.
std::vector<std::string> differences_to_theano(const GraphRecord& graph);
/// Axis i of the result is axis axes[i] of `a`, which is f32.
Array permuted(const Array& a, const std::vector<int>& axes);

// --- keras_channels
// ----------------------------------------------------------------------------------------------------

/// Whether the layer's data_format says so.
bool is_channels_first(const LayerRecord& layer);
/// Turns a model whose layers, or some of them, are channels_first into one that is channels_last
/// throughout, its inputs included, and says so among the document's warnings. Where a layer needs
/// the order of the file (Flatten, Reshape, Dense on a map, ...) a Permute stands before it. Throws
/// DataError naming the layer where that cannot be done.
void to_channels_last(ModelDocument& document);

// --- keras_graph
// -------------------------------------------------------------------------------------------------------

/// Output `tensor` of the `node`-th call of a layer, as Keras counts calls.
struct Reference {
  std::string layer;
  int node = 0, tensor = 0;
};

struct Model;

/// A layer, or a whole model in its place.
struct Entry {
  std::string name;
  std::string group;  ///< of its weights: its name in the file
  LayerRecord layer;  ///< its name and calls are unset; for a model unused
  std::shared_ptr<Model> model;
  std::vector<std::vector<Reference>> calls;  ///< Functional only
};

/// A model_config, parsed.
struct Model {
  std::string name;
  bool sequential = false, trainable = true;
  bool triples =
      false;  ///< references are Keras 2's lists, which count a nested model's first call as 1
  std::vector<Entry> entries;  ///< in the order of Keras' model.layers, inputs included
  std::vector<Reference> inputs, outputs;
};

Model parse_model(const Json& model_config, const Reading& reading);
/// Nested models become paths and scopes, operations layers.
GraphRecord flatten(const Model& model, const Reading& reading);
/// Gives entries of a flat model other names, in references too.
void rename(Model& model, const std::vector<std::pair<std::string, std::string>>& from_to);
/// The layers below an entry, with their paths, in Keras' order.
std::vector<std::pair<std::string, const LayerRecord*>> leaves_of(const Entry& entry);

/// A graph as it is written: one flat model.
struct Written {
  Json model_config;
  std::vector<size_t> order;  ///< of Keras' model.layers, by which its loader deals out weights:
                              ///< indices into graph.layers
  std::vector<std::string> names;  ///< Keras' name of graph.layers[i]: the same where it holds no
                                   ///< '/', which Keras refuses
  bool sequential = false;
};
/// Indices into graph.layers in the order of Keras' model.layers.
std::vector<size_t> keras_order(const GraphRecord& graph);
/// In whose words operations are written that no layer computes. tf.keras takes them from .h5 and
/// .keras, Keras 3 from .keras alone.
enum class Dialect { tf_keras, keras3 };
Written write_graph(const GraphRecord& graph, const Registry& registry,
                    Dialect dialect = Dialect::tf_keras);

// --- keras_operations
// --------------------------------------------------------------------------------------------------

/// Type of a record that stands for an operation until translate_operations().
inline constexpr const char* operation_type = "Operation";
/// Whether a layer's entry in a file is an operation of the graph (TFOpLambda, SlicingOpLambda,
/// TensorFlowOpLayer, a class of keras.ops) and no layer.
bool is_operation(const Json& layer);
/// Its record, without arguments.
LayerRecord read_operation(const std::string& name, const Json& layer);
/// Adds the arguments of one of its inbound_nodes; returns the tensors among them. Throws DataError
/// naming the operation where an earlier call had other arguments.
std::vector<Reference> read_operation_call(LayerRecord& operation, const Json& node);
/// Operations of a flat graph become layers: Keras' own where one says the same, else Slice,
/// ReduceMean, ConstantOperation and their like. One that no layer computes keeps its function's
/// name as its type, with a warning that says why.
void translate_operations(GraphRecord& graph, const Reading& reading);
/// Which Keras opens a layer as we write it. An `operation` is opened by the one whose dialect is
/// written, a function of TensorFlow by tf.keras alone.
enum class Openable { everywhere, operation, tf_keras, nowhere };
Openable openable(const LayerRecord& layer);
/// The dialect of an archive: Keras 3's, unless it lacks a function.
Dialect archive_dialect(const GraphRecord& graph);
/// The layer itself, or one of Keras' that says the same.
LayerRecord in_keras_words(LayerRecord layer);
/// The entries of a layer that Keras has no class for but other words, the last under its `name`;
/// empty for all other layers. `calls` are its inputs as [layer, node, tensor].
std::vector<Json> write_operation(const LayerRecord& layer, const std::string& name,
                                  const std::vector<std::vector<Json>>& calls, Dialect dialect);
/// By how many layers write_operation() makes a way through the graph longer.
int extra_depth(const LayerRecord& layer);

// --- keras_weights
// -----------------------------------------------------------------------------------------------------

/// Names of a layer's trainable weights and of the others, in Keras' order.
struct Roles {
  std::vector<std::string> parameters, states;
};
/// Empty for a class that is not known here.
std::optional<Roles> roles_of(const LayerRecord& layer);
/// Whether a layer's weights are trained, its scopes included.
bool is_trainable(const GraphRecord& graph, const LayerRecord& layer);
/// How many of a layer's weights are trained: by its roles, else by their names.
size_t parameter_count(const LayerRecord& layer, const WeightsRecord& weights);
/// What one layer gets of a group's weights: their roles, and their places in the group's list.
struct Share {
  std::string layer;
  std::vector<std::string> names;
  std::vector<size_t> places;
};
/// Deals the weights of one entry (a layer or a nested model), as its group lists them, out to the
/// layers below it. Throws DataError naming `where` and the first weight that fits nowhere.
std::vector<Share> deal_out(const Entry& entry, const std::vector<std::string>& names,
                            const std::string& where);

// --- keras_groups
// -------------------------------------------------------------------------------------------------------

/// Weights that stand together in a file: of a layer or, in files of weights only, of a nested
/// model.
struct Group {
  std::string name;
  std::vector<std::string> names;  ///< of the weights, as the file has them
  std::vector<std::string> paths;  ///< of their datasets
};
/// Groups with weights below `root`, in the file's order (layouts of model.save("x.h5") and
/// save_weights("x.h5")).
std::vector<Group> groups_of(const H5Reader& file, const std::string& root);
/// Each group of a nested model replaced by groups of its layers, named by path.
std::vector<Group> leaf_groups(const H5Reader& file, const std::vector<Group>& groups,
                               const Model& model);
WeightsRecord read_group(const H5Reader& file, const Group& group);
void write_groups(H5Writer& file, const std::string& root,
                  const std::vector<WeightsRecord>& weights, const GraphRecord& graph,
                  const Written& written);

// --- keras_variables
// ---------------------------------------------------------------------------------------------------

/// Whether a file has the layout of .weights.h5.
bool has_variables(const H5Reader& file);
/// Groups of the layers of `model`, named by path, in its order; only layers that have weights.
std::vector<Group> variable_groups(const H5Reader& file, const Model& model,
                                   const Registry& registry);
/// The datasets "0", "1", ... of a group, in the order of their numbers.
std::vector<std::string> numbered(const H5Reader& file, const std::string& group);
void write_variables(H5Writer& file, const ModelDocument& document, const Written& written,
                     const Registry& registry);

// --- keras_match
// -------------------------------------------------------------------------------------------------------

/// The tree of models that a graph was flattened from, for its weights: entries in Keras' order,
/// without calls.
Model tree_of(const GraphRecord& graph);
/// Who wrote a file's weights.
struct Origin {
  int version = 2;
  bool theano = false;
};
/// ModelFormat::read_weights() once the groups of the file are known.
void load_groups(const H5Reader& file, const std::vector<Group>& groups, const Origin& origin,
                 const WeightsMatching& matching, ModelDocument& document,
                 const Registry& registry);

// --- keras_annotate

/// ModelFormat::annotate() for HDF5: only our own group changes.
void annotate(const ModelDocument& document, const std::filesystem::path& from,
              const std::filesystem::path& to);

// --- keras_training
// ----------------------------------------------------------------------------------------------------

/// A parameter of our optimizers that Keras has not; it travels in our own group.
inline constexpr const char* own_decay = "decay_kernels_only";

/// Loss, metrics and optimizer of a training_config (HDF5) or compile_config (.keras).
void read_training(const Json& config, const Reading& reading, ModelDocument& document);
/// The same back, of a document with an optimizer; `archive`: in the dialect of .keras.
Json training_config(const ModelDocument& document, const Registry& registry, bool archive);

// --- keras_optimizer
// ---------------------------------------------------------------------------------------------------

/// State of the document's optimizer, from /optimizer_weights; nothing happens where there is none.
/// What does not fit is a warning, and the optimizer starts afresh.
void read_named_state(const H5Reader& file, const Model& model, const Reading& reading,
                      ModelDocument& document);
/// The same from /optimizer/vars.
void read_numbered_state(const H5Reader& file, const Model& model, const Reading& reading,
                         ModelDocument& document);
void write_state(H5Writer& file, const ModelDocument& document, const Written& written,
                 const Registry& registry, bool numbered, Log& log);

// --- keras_own
// ---------------------------------------------------------------------------------------------------------

/// The model of a file, and what reading its weights takes.
struct Opened {
  Json own;
  Reading reading;
  Model model;
  GraphRecord graph;
};
/// `file` holds our own group, if there is one.
Opened open_config(const Json& model_config, int version, const H5Reader& file,
                   const Registry& registry, std::vector<std::string>& warnings);
/// Groups of single layers in the order that a graph of its own would have.
std::vector<Group> in_graph_order(const GraphRecord& graph, std::vector<Group> groups);
/// Their weights, in the order of the graph's layers.
std::vector<WeightsRecord> read_groups(const H5Reader& file, const std::vector<Group>& groups,
                                       const GraphRecord& graph);
/// Best weights, training state, classes, preprocessing, sample.
void read_own_parts(const H5Reader& file, const Opened& opened, ModelDocument& document);
void write_own_parts(H5Writer& file, const ModelDocument& document, const Written& written);
/// Says what Keras will not make of a file.
void warn_of_strangers(const GraphRecord& graph, Dialect dialect, Log& log);

/// The first bytes of an HDF5 file.
bool has_hdf5_signature(const std::filesystem::path& file);
/// What files claim to be written by: a version whose dialect they speak.
inline constexpr const char* written_version = "2.13.1";

/// Runs `read` and puts the file's name before errors that lack it.
template <class F>
auto naming(const std::string& file, const F& read) {
  try {
    return read();
  } catch (const DataError& e) {
    const std::string what = e.what();
    throw what.starts_with(file) ? e : DataError(file + ": " + what);
  }
}

}  // namespace ocellus::keras
