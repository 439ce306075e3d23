#pragma once

#include <optional>

#include "layers.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::layers {

/// A convolution in all passes with the copies of its kernel; what the layers made of convolutions
/// have in common. Both passes back exist as the request asks for gradients.
class Convolution {
 public:
  Convolution(opencl::Device& device, const opencl::ConvolutionProblem& problem,
              const opencl::Epilogue& epilogue, bool input_gradients, bool parameter_gradients);

  size_t workspace_bytes() const;
  std::string forward_algorithm() const { return forward_.algorithm(); }
  std::string backward_algorithm() const { return algorithms_of(data_, weights_); }
  /// Whether some pass reads the kernel itself, not a packed copy.
  bool reads_kernel() const { return !packed_ || (data_ && !packed_backward_); }
  void forward(opencl::Queue& queue, const opencl::Operand& x, const Parameter& kernel,
               const opencl::Operand& y, std::span<const opencl::Operand> epilogue,
               const opencl::Buffer& workspace);
  void backward_data(opencl::Queue& queue, const opencl::Operand& dy, const Parameter& kernel,
                     const opencl::Operand& dx, bool accumulate, const opencl::Buffer& workspace);
  void backward_weights(opencl::Queue& queue, const opencl::Operand& x, const opencl::Operand& dy,
                        const opencl::Operand& dkernel, bool accumulate,
                        const opencl::Buffer& workspace) const;

 private:
  opencl::ConvolutionForward forward_;
  std::optional<Overwriting<opencl::ConvolutionBackwardData>> data_;
  std::optional<Overwriting<opencl::ConvolutionBackwardWeights>> weights_;
  Packed packed_, packed_backward_;
};

/// The gradient of a bias: dy summed over its pixels. Exists where `plan` has a bias and wants
/// gradients of its parameters.
class BiasGradient {
 public:
  BiasGradient(opencl::Device& device, const LayerPlan& plan);
  size_t workspace_bytes() const { return sum_ ? sum_->workspace_bytes() : 0; }
  void run(opencl::Queue& queue, const BackwardArgs& args) const;

 private:
  std::optional<Overwriting<opencl::Reduce>> sum_;
};

/// A layer of one convolution: parameters are its kernel and maybe a bias.
class ConvolutionOp : public LayerOp {
 public:
  ConvolutionOp(opencl::Device& device, const LayerPlan& plan,
                const opencl::ConvolutionProblem& problem);
  size_t workspace_bytes() const override;
  std::vector<int> unread_parameters() const override;
  std::string forward_algorithm() const override { return convolution_.forward_algorithm(); }
  std::string backward_algorithm() const override { return convolution_.backward_algorithm(); }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override;
  void backward(opencl::Queue& queue, const BackwardArgs& args) override;

 private:
  Convolution convolution_;
  BiasGradient bias_;
};

/// All of the plan of a layer that convolves but its parameters.
LayerPlan convolution_plan(const PlanRequest& request, const opencl::ConvolutionProblem& problem);

}  // namespace ocellus::layers
