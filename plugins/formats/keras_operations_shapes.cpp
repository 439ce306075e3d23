// Operations that move, cut and join.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "keras_operations.hpp"

namespace ocellus::keras {
namespace {

Json linear() { return Json::Object{{"activation", "linear"}}; }

int axis_in(const Json& j, int rank) {
  const int axis = j.as_int() < 0 ? j.as_int() + rank : j.as_int();
  if (axis < 1 || axis >= rank) throw Untranslatable{"it changes the batch's axis"};
  return axis;
}

}  // namespace

// Axes counted with the batch, none negative; empty where the argument is null.
std::vector<int> Translator::axes_of(const Json& j, int x) const {
  std::vector<int> axes;
  if (j.is_null()) return axes;
  for (const Json& a : j.is_list() ? j.as_list() : Json::List{j}) {
    const int axis = a.as_int();
    axes.push_back(axis < 0 ? axis + known_shape(x).rank() : axis);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

void Translator::reshape(const OperationCall& c) {
  const Json shape = c.argument(1, {"shape", "newshape"});
  if (!shape.is_list() || shape.size() < 2)
    throw Untranslatable{"its shape is no list that begins with the batch"};
  Json target = Json::list();
  for (size_t i = 1; i < shape.size(); ++i) {
    const Json& extent = shape.at(i);
    if (!extent.is_integer() && !extent.is_null())
      throw Untranslatable{"its shape is computed by other operations"};
    target.push_back(extent.is_null() ? Json(-1) : extent);
  }
  emit("Reshape", Json::Object{{"target_shape", target}}, {tensor_of(c)});
}

std::string Translator::emit_shape(const std::vector<int>& item, Source x,
                                   const std::string& suffix) {
  return emit("Reshape", Json::Object{{"target_shape", Json::list_of(item)}}, {x}, suffix);
}

// Extents of one item of the operation's input.
std::vector<int> Translator::item_of(int x) const {
  const Shape item = fixed_shape(x).without_batch();
  return {item.extents().begin(), item.extents().end()};
}

void Translator::expand_dims(const OperationCall& c) {
  const int x = tensor_of(c);
  std::vector<int> item = item_of(x);
  const int axis = axis_in(c.argument(1, {"axis", "dim"}), static_cast<int>(item.size()) + 2);
  item.insert(item.begin() + axis - 1, 1);
  emit_shape(item, x);
}

void Translator::squeeze(const OperationCall& c) {
  const int x = tensor_of(c);
  const std::vector<int> item = item_of(x);
  const std::vector<int> axes = axes_of(c.argument(1, {"axis", "squeeze_dims"}), x);
  std::vector<int> left;
  for (size_t i = 0; i < item.size(); ++i) {
    const bool named = std::count(axes.begin(), axes.end(), static_cast<int>(i) + 1) != 0;
    if (named && item[i] != 1) throw Untranslatable{"it drops an axis that is not 1"};
    if (axes.empty() ? item[i] != 1 : !named) left.push_back(item[i]);
  }
  emit_shape(left, x);
}

void Translator::transpose(const OperationCall& c) {
  const Json order = c.argument(1, {"perm", "axes"});
  if (!order.is_list() || order.size() < 2 || order.at(size_t{0}).as_int() != 0)
    throw Untranslatable{"it moves the batch's axis"};
  const Json dims(Json::List(order.as_list().begin() + 1, order.as_list().end()));
  emit("Permute", Json::Object{{"dims", dims}}, {tensor_of(c)});
}

// Its tensors: one list, or (raw operations) one argument each.
std::vector<Translator::Source> Translator::tensors_of(const OperationCall& c) const {
  const Json given = first(c).is_list() ? first(c) : c.argument(0, {"values", "xs"});
  std::vector<Source> sources;
  for (const Json& t : given.is_list() ? given.as_list() : c.positional.as_list())
    if (!t.is_number()) sources.emplace_back(input_of(t));  // the last of ConcatV2's is the axis
  return sources;
}

void Translator::concatenate(const OperationCall& c) {
  const std::vector<Source> sources = tensors_of(c);
  Json axis = c.option({"axis"});
  if (axis.is_null()) axis = c.positional.at(c.positional.size() - 1);
  if (!axis.is_integer() || axis.as_int() == 0) throw Untranslatable{"it joins batches"};
  if (sources.size() == 1) return void(emit("Activation", linear(), sources));
  emit("Concatenate", Json::Object{{"axis", axis}}, sources);
}

void Translator::stack(const OperationCall& c) {
  const std::vector<Source> sources = tensors_of(c);
  const Json given = c.option({"axis"});
  std::vector<Source> parts;
  int axis = 0;
  for (const Source& s : sources) {
    std::vector<int> item = item_of(std::get<int>(s));
    axis = axis_in(given.is_null() ? Json(0) : given, static_cast<int>(item.size()) + 2);
    item.insert(item.begin() + axis - 1, 1);
    parts.emplace_back(emit_shape(item, s, fmt::format("part_{}", parts.size())));
  }
  emit("Concatenate", Json::Object{{"axis", axis}}, parts);
}

void Translator::flip(const OperationCall& c) {
  const int x = tensor_of(c);
  const std::vector<int> axes = axes_of(c.argument(1, {"axis", "axes"}), x);
  std::vector<AxisIndex> index(static_cast<size_t>(known_shape(x).rank()) - 1);
  if (axes.empty()) throw Untranslatable{"it turns the batch round"};
  for (const int a : axes)
    index.at(static_cast<size_t>(axis_in(a, known_shape(x).rank())) - 1).stride = -1;
  slice(index, {}, x);
}

void Translator::get_item(const OperationCall& c) {
  const int x = tensor_of(c);
  const Json spec = c.argument(1, {"slice_spec", "key"});
  const Json::List entries = spec.is_list() ? spec.as_list() : Json::List{spec};
  const auto is_ellipsis = [](const Json& e) { return e.get("class_name", "") == "__ellipsis__"; };
  const auto given = std::count_if(entries.begin(), entries.end(),
                                   [&](const Json& e) { return !e.is_null() && !is_ellipsis(e); });
  const int rank = known_shape(x).rank();
  std::vector<AxisIndex> index;
  std::vector<int> new_axes;  // places in the result, as the index lists them
  int place = 0;
  for (const Json& e : entries) {
    if (e.is_null()) {
      new_axes.push_back(place++);
    } else if (is_ellipsis(e)) {
      for (int n = rank - static_cast<int>(given); n > 0; --n, ++place) index.emplace_back();
    } else if (e.is_integer()) {
      index.push_back({e, {}, {}, true});
    } else {
      const Json start = e.find("start") ? e.at("start") : Json(),
                 stop = e.find("stop") ? e.at("stop") : Json(),
                 step = e.find("step") ? e.at("step") : Json();
      for (const Json* bound : {&start, &stop, &step})
        if (!bound->is_null() && !bound->is_integer())
          throw Untranslatable{"its index is computed by other operations"};
      index.push_back({start, stop, step, false});
      ++place;
    }
  }
  if (index.empty()) throw Untranslatable{"it takes items out of the batch"};
  const AxisIndex& batch = index.front();
  if (batch.dropped || !batch.begin.is_null() || !batch.end.is_null() || !batch.stride.is_null())
    throw Untranslatable{"it takes items out of the batch"};
  index.erase(index.begin());
  index.resize(static_cast<size_t>(rank) - 1);
  slice(index, new_axes, x);
}

// The layer for an index, one entry for each axis behind the batch.
void Translator::slice(const std::vector<AxisIndex>& index, const std::vector<int>& new_axes,
                       int x) {
  Json begin = Json::list(), end = Json::list(), stride = Json::list();
  std::vector<int> squeezed;
  for (size_t i = 0; i < index.size(); ++i) {
    const AxisIndex& a = index[i];
    begin.push_back(a.begin);
    if (a.dropped) {
      squeezed.push_back(static_cast<int>(i) + 1);
      const int at = a.begin.as_int();
      end.push_back(at == -1 ? Json() : Json(at + 1));
    } else {
      end.push_back(a.end);
    }
    stride.push_back(a.stride);
  }
  if (new_axes.empty() && squeezed.empty()) {
    if (crop(index, x)) return;
    const Shape& shape = known_shape(x);
    // That its first channel is named tells the writer how many there are.
    if (shape.rank() == 4 && stride.at(2) == Json(-1) && begin.at(2).is_null())
      begin.as_list()[2] = shape[3] - 1;
  }
  Json parameters = Json::Object{{"begin", begin}, {"end", end}, {"stride", stride}};
  if (!squeezed.empty()) parameters["squeeze"] = Json::list_of(squeezed);
  if (new_axes.empty()) return void(emit("Slice", parameters, {x}));
  if (new_axes.front() == 0) throw Untranslatable{"it changes the batch's axis"};
  fixed_shape(x);
  const std::string sliced = emit("Slice", parameters, {x}, "slice");
  const Shape* shape = shape_of({sliced, 0, 0});
  if (!shape) throw Untranslatable{"its index does not fit its input"};
  const auto extents = shape->extents();
  std::vector<int> item(extents.begin(), extents.end());
  for (const int a : new_axes) item.insert(item.begin() + a, 1);
  item.erase(item.begin());
  emit_shape(item, sliced);
}

// A range of rows and columns is Keras' Cropping2D, every second of them the maximum of windows of
// one; of steps they are Cropping1D and MaxPooling1D. Bounds that are counted from the other end
// need the extent.
bool Translator::crop(const std::vector<AxisIndex>& index, int x) {
  const Shape& shape = known_shape(x);
  const size_t window = static_cast<size_t>(shape.rank()) - 2;
  if (window != 1 && window != 2) return false;
  Json cropping = Json::list(), strides = Json::list();
  bool crops = false, skips = false;
  for (size_t i = 0; i <= window; ++i) {
    const AxisIndex& a = index[i];
    const int extent = shape[static_cast<int>(i) + 1];
    const int stride = a.stride.is_null() ? 1 : a.stride.as_int();
    int before = a.begin.is_null() ? 0 : a.begin.as_int(),
        after = a.end.is_null() ? 0 : -a.end.as_int();
    const bool from_other_end = before < 0 || after < 0 || (!a.end.is_null() && after == 0);
    if (stride < 1 || (from_other_end && open_)) return false;
    if (before < 0) before = std::max(0, before + extent);
    if (from_other_end && !a.end.is_null() && after <= 0) after = std::max(0, after + extent);
    if (before + after >= extent) return false;
    if (i == window) {
      if (before || after || stride > 1) return false;
    } else {
      cropping.push_back(Json::List{before, after});
      strides.push_back(stride);
      crops = crops || before || after;
      skips = skips || stride > 1;
    }
  }
  const auto for_window = [&](const Json& list) { return window == 2 ? list : list.at(size_t{0}); };
  const std::string dimensions = window == 2 ? "2D" : "1D";
  Source source = x;
  if (crops || !skips)
    source = emit("Cropping" + dimensions, Json::Object{{"cropping", for_window(cropping)}}, {x},
                  skips ? "cropped" : "");
  if (skips)
    emit(
        "MaxPooling" + dimensions,
        Json::Object{{"pool_size", for_window(Json::List{1, 1})}, {"strides", for_window(strides)}},
        {source});
  return true;
}

// TensorFlow's raw form: begin, end, strides, and masks of the axes where they do not count.
void Translator::strided_slice(const OperationCall& c) {
  const Json begin = c.argument(1, {"begin"}), end = c.argument(2, {"end"}),
             strides = c.argument(3, {"strides"});
  const auto masked = [&](const char* mask, size_t i) {
    const Json bits = c.option({mask});
    return bits.is_integer() && ((bits.as_int64() >> i) & 1) != 0;
  };
  Json spec = Json::list();
  for (size_t i = 0; i < begin.size(); ++i) {
    if (masked("ellipsis_mask", i))
      spec.push_back(Json::Object{{"class_name", "__ellipsis__"}});
    else if (masked("new_axis_mask", i))
      spec.push_back({});
    else if (masked("shrink_axis_mask", i))
      spec.push_back(begin.at(i));
    else
      spec.push_back(Json::Object{
          {"start", masked("begin_mask", i) ? Json() : begin.at(i)},
          {"stop", masked("end_mask", i) ? Json() : end.at(i)},
          {"step", strides.is_list() && strides.at(i) != Json(1) ? strides.at(i) : Json()}});
  }
  OperationCall item = c;
  item.function = "get_item";
  item.positional = Json::List{tensor_argument(tensor_of(c)), spec};
  get_item(item);
}

void Translator::pad(const OperationCall& c) {
  const Json widths = c.argument(1, {"paddings", "pad_width"});
  const Json value = c.option({"constant_values"});
  const Json mode = c.option({"mode"});
  std::string how = mode.is_string() ? mode.as_string() : "constant";
  std::transform(how.begin(), how.end(), how.begin(),
                 [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  const auto none = [&](size_t axis) { return widths.at(axis) == Json(Json::List{0, 0}); };
  if (widths.size() != 4 || !none(0) || !none(3) || how != "constant" ||
      (value.is_number() && value.as_double() != 0))
    throw Untranslatable{"only zeros round the rows and columns of an image are padded"};
  emit("ZeroPadding2D", Json::Object{{"padding", Json::List{widths.at(1), widths.at(2)}}},
       {tensor_of(c)});
}

void Translator::resize(const OperationCall& c) {
  const int x = tensor_of(c);
  const Json size = c.argument(1, {"size"});
  if (!size.is_list() || size.size() != 2 || !size.at(size_t{0}).is_integer() ||
      !size.at(1).is_integer())
    throw Untranslatable{"its size is computed by other operations"};
  const std::string raw = layer_->parameters.at("function").as_string();
  Json method = c.argument(2, {"method", "interpolation"});
  if (raw.find("Nearest") != std::string::npos) method = "nearest";
  if (!method.is_string()) method = "bilinear";
  const auto is_set = [&](const char* key) {
    const Json v = c.option({key});
    return v.is_bool() && v.as_bool();
  };
  for (const char* key : {"antialias", "preserve_aspect_ratio", "crop_to_aspect_ratio",
                          "pad_to_aspect_ratio", "align_corners"})
    if (is_set(key)) throw Untranslatable{fmt::format("{} is not computed", key)};
  if (raw.starts_with("Resize") && raw != "Resize" && !is_set("half_pixel_centers"))
    throw Untranslatable{"only half_pixel_centers are computed"};
  emit("Resizing",
       Json::Object{
           {"height", size.at(size_t{0})}, {"width", size.at(1)}, {"interpolation", method}},
       {x});
}
}  // namespace ocellus::keras
