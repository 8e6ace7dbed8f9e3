// Batch normalisation of images by the statistics of their batch, and the ReLU after it, for a step that learns.
//
// TensorFlow's kernels of the two read and write the whole activation once more each, forward and back. Here what is
// between them is only ever in a register: forward reads the inputs twice and writes the outputs; backward reads the
// inputs and the outputs' gradient twice and writes the inputs' gradient, in whose place that of the outputs was where
// nobody else reads it. What the ReLU has let through follows from the inputs.
//
// Sums over the positions are taken in blocks that depend on the shape alone, and put together in their order: so no
// result depends on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

// One library for every x86: the loader takes what the processor has of AVX-512, AVX2 and SSE2. GCC knows the levels of
// x86-64 here from release 12 on, and clang from 18 on.
#if defined(__x86_64__) && defined(__gnu_linux__) && (__GNUC__ >= 12 || __clang_major__ >= 18)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

// Adds the inputs to `sum`, of one entry a channel.
FOR_EACH_PROCESSOR void AddInputs(const float* __restrict x, int64_t positions, int64_t channels,
                                  float* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= positions; i += 4, x += 4 * channels) {  // the sums are loaded and stored once for four positions
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] += (x[c] + x[channels + c]) + (x[2 * channels + c] + x[3 * channels + c]);
    }
  }
  for (; i < positions; ++i, x += channels) {
    for (int64_t c = 0; c < channels; ++c) sum[c] += x[c];
  }
}

// Adds to `sum` and `squares`, of one entry a channel, what the inputs are beyond `centre`.
//
// Beyond zero, the variance would be the small difference of two large numbers where a channel is far from it.
FOR_EACH_PROCESSOR void AddMoments(const float* __restrict x, int64_t positions, int64_t channels,
                                   const float* __restrict centre, float* __restrict sum, float* __restrict squares) {
  int64_t i = 0;
  for (; i + 4 <= positions; i += 4, x += 4 * channels) {
    const float *x1 = x + channels, *x2 = x1 + channels, *x3 = x2 + channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float d0 = x[c] - centre[c], d1 = x1[c] - centre[c], d2 = x2[c] - centre[c], d3 = x3[c] - centre[c];
      sum[c] += (d0 + d1) + (d2 + d3);
      squares[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  }
  for (; i < positions; ++i, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float d = x[c] - centre[c];
      sum[c] += d;
      squares[c] += d * d;
    }
  }
}

// y = min(max(slope (x - mean) + offset, 0), top). What is not a number stays so: a training that diverges shows it.
FOR_EACH_PROCESSOR void Normalize(const float* __restrict x, int64_t positions, int64_t channels,
                                  const float* __restrict mean, const float* __restrict slope,
                                  const float* __restrict offset, float top, float* __restrict y) {
  for (int64_t i = 0; i < positions; ++i, x += channels, y += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      float value = slope[c] * (x[c] - mean[c]) + offset[c];
      value = value < 0.0f ? 0.0f : value;
      y[c] = value > top ? top : value;
    }
  }
}

// Of the gradient of an output what the ReLU lets through; `centred` is the input without its mean. At the top itself
// that is nothing, as with TensorFlow's ReLU6; so it is at an infinite output where there is no top.
inline float LetThrough(float dy, float centred, float slope, float offset, float top) {
  const float value = slope * centred + offset;
  return (value > 0.0f) & (value < top) ? dy : 0.0f;
}

// Adds to `sum` the gradients that the ReLU lets through, and to `products` these times the inputs without their mean.
FOR_EACH_PROCESSOR void AddGradients(const float* __restrict dy, const float* __restrict x, int64_t positions,
                                     int64_t channels, const float* __restrict mean, const float* __restrict slope,
                                     const float* __restrict offset, float top, float* __restrict sum,
                                     float* __restrict products) {
  int64_t i = 0;
  for (; i + 2 <= positions; i += 2, x += 2 * channels, dy += 2 * channels) {
    const float *x1 = x + channels, *dy1 = dy + channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float centred0 = x[c] - mean[c], centred1 = x1[c] - mean[c];
      const float d0 = LetThrough(dy[c], centred0, slope[c], offset[c], top);
      const float d1 = LetThrough(dy1[c], centred1, slope[c], offset[c], top);
      sum[c] += d0 + d1;
      products[c] += d0 * centred0 + d1 * centred1;
    }
  }
  for (; i < positions; ++i, x += channels, dy += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float centred = x[c] - mean[c];
      const float d = LetThrough(dy[c], centred, slope[c], offset[c], top);
      sum[c] += d;
      products[c] += d * centred;
    }
  }
}

// dx = slope d - constant - linear (x - mean), d being what the ReLU lets through of dy; dx may be dy.
FOR_EACH_PROCESSOR void Backpropagate(const float* dy, const float* __restrict x, int64_t positions, int64_t channels,
                                      const float* __restrict mean, const float* __restrict slope,
                                      const float* __restrict offset, float top, const float* __restrict constant,
                                      const float* __restrict linear, float* dx) {
  for (int64_t i = 0; i < positions; ++i, x += channels, dy += channels, dx += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float centred = x[c] - mean[c];
      dx[c] = slope[c] * LetThrough(dy[c], centred, slope[c], offset[c], top) - constant[c] - linear[c] * centred;
    }
  }
}

// The positions of an activation, in blocks that fit a core's cache; the last one may be smaller.
class Blocks {
 public:
  Blocks(int64_t positions, int64_t channels)
      : positions_(positions),
        channels_(channels),
        size_(std::max<int64_t>(16, 16384 / channels)),
        count_((positions + size_ - 1) / size_) {}

  // Calls `act(block, start, size)` for each, `start` being that of its values; on the threads of the operation.
  void ForEach(OpKernelContext* context, const std::function<void(int64_t, int64_t, int64_t)>& act) const {
    const auto* threads = context->device()->tensorflow_cpu_worker_threads();
    const auto cost = tsl::thread::ThreadPool::SchedulingParams::Adaptive(size_ * channels_);  // a cycle a value
    threads->workers->ParallelFor(count_, cost, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        act(block, block * size_ * channels_, SizeOf(block));
      }
    });
  }

  // Calls `add(start, size, sums)` for each, which adds to zeros, of so many kinds of sums with one entry a channel;
  // then, in their order and on this thread, `merge(size, sums)`.
  template <typename Add, typename Merge>
  absl::Status Sum(OpKernelContext* context, int64_t kinds, const Add& add, const Merge& merge) const {
    const int64_t entries = kinds * channels_;
    Tensor all;
    const absl::Status allocated =
        context->allocate_temp(tensorflow::DT_FLOAT, tensorflow::TensorShape({count_, entries}), &all);
    if (!allocated.ok()) return allocated;
    float* sums = all.flat<float>().data();
    ForEach(context, [&](int64_t block, int64_t start, int64_t size) {
      std::fill_n(sums + block * entries, entries, 0.0f);
      add(start, size, sums + block * entries);
    });
    for (int64_t block = 0; block < count_; ++block) merge(SizeOf(block), sums + block * entries);
    return absl::OkStatus();
  }

 private:
  int64_t SizeOf(int64_t block) const { return std::min(size_, positions_ - block * size_); }

  const int64_t positions_, channels_, size_, count_;
};

// What both directions have in common.
class BatchNormRelu : public OpKernel {
 public:
  explicit BatchNormRelu(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
    OP_REQUIRES_OK(context, context->GetAttr("max_value", &top_));
  }

 protected:
  static const float* Input(OpKernelContext* context, int index) {
    return context->input(index).flat<float>().data();
  }

  double InverseDeviation(double variance) const { return 1.0 / std::sqrt(variance + epsilon_); }

  std::vector<float> Slopes(int64_t channels, const float* scale, const float* variance) const {
    std::vector<float> slopes(channels);
    for (int64_t c = 0; c < channels; ++c) slopes[c] = scale[c] * InverseDeviation(variance[c]);
    return slopes;
  }

  // Whether the inputs are activations with a position at least, and vectors of as many entries as they have channels.
  static absl::Status Check(OpKernelContext* context, int activation) {
    const Tensor& x = context->input(activation);
    if (x.dims() < 2 || x.NumElements() == 0) {
      return absl::InvalidArgumentError("x must have positions and channels, not the shape " +
                                        x.shape().DebugString());
    }
    const int64_t channels = x.dim_size(x.dims() - 1);
    for (int i = 0; i < context->num_inputs(); ++i) {
      const Tensor& input = context->input(i);
      const tensorflow::TensorShape wanted = i <= activation ? x.shape() : tensorflow::TensorShape({channels});
      if (input.shape() != wanted) {
        return absl::InvalidArgumentError("input " + std::to_string(i) + " has the shape " +
                                          input.shape().DebugString() + ", and x " + x.shape().DebugString());
      }
    }
    return absl::OkStatus();
  }

  float epsilon_, top_;
};

class Forward : public BatchNormRelu {
 public:
  using BatchNormRelu::BatchNormRelu;

  void Compute(OpKernelContext* context) override {
    OP_REQUIRES_OK(context, Check(context, 0));
    const Tensor& images = context->input(0);
    const int64_t channels = images.dim_size(images.dims() - 1), positions = images.NumElements() / channels;
    Tensor *outputs, *means, *variances;
    OP_REQUIRES_OK(context, context->allocate_output(0, images.shape(), &outputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, context->input(1).shape(), &means));
    OP_REQUIRES_OK(context, context->allocate_output(2, context->input(1).shape(), &variances));
    const float *x = Input(context, 0), *scale = Input(context, 1), *offset = Input(context, 2);
    float* y = outputs->flat<float>().data();
    float* mean = means->flat<float>().data();
    float* variance = variances->flat<float>().data();

    // Means of so many positions, and the sums of squared differences from them, to which those of a block are joined:
    // T. Chan, G. Golub and R. LeVeque, Algorithms for computing the sample variance (The American Statistician, 1983).
    std::vector<double> so_far(channels), differences(channels);
    int64_t merged = 0;
    const Blocks blocks(positions, channels);
    OP_REQUIRES_OK(context,
                   blocks.Sum(
                       context, 3,
                       [&](int64_t start, int64_t size, float* centre) {  // twice, but the second time in the cache
                         AddInputs(x + start, size, channels, centre);
                         for (int64_t c = 0; c < channels; ++c) centre[c] /= size;
                         float *sum = centre + channels, *squares = sum + channels;
                         AddMoments(x + start, size, channels, centre, sum, squares);
                       },
                       [&](int64_t size, const float* centre) {
                         const float *sum = centre + channels, *squares = sum + channels;
                         const double share = 1.0 * size / (merged + size);
                         for (int64_t c = 0; c < channels; ++c) {
                           const double beyond = 1.0 * sum[c] / size;
                           const double apart = centre[c] + beyond - so_far[c];
                           so_far[c] += share * apart;
                           differences[c] += squares[c] - beyond * sum[c] + share * merged * apart * apart;
                         }
                         merged += size;
                       }));
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] = so_far[c];
      variance[c] = std::max(differences[c] / positions, 0.0);
    }
    const auto slopes = Slopes(channels, scale, variance);
    blocks.ForEach(context, [&](int64_t, int64_t start, int64_t size) {
      Normalize(x + start, size, channels, mean, slopes.data(), offset, top_, y + start);
    });
  }
};

class Backward : public BatchNormRelu {
 public:
  using BatchNormRelu::BatchNormRelu;

  void Compute(OpKernelContext* context) override {
    OP_REQUIRES_OK(context, Check(context, 1));
    const Tensor& images = context->input(1);
    const int64_t channels = images.dim_size(images.dims() - 1), positions = images.NumElements() / channels;
    Tensor *of_images, *of_scale, *of_offset;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, images.shape(), &of_images));
    OP_REQUIRES_OK(context, context->allocate_output(1, context->input(2).shape(), &of_scale));
    OP_REQUIRES_OK(context, context->allocate_output(2, context->input(2).shape(), &of_offset));
    const float *dy = Input(context, 0), *x = Input(context, 1), *scale = Input(context, 2),
                *offset = Input(context, 3), *mean = Input(context, 4), *variance = Input(context, 5);
    float* dx = of_images->flat<float>().data();
    float* dscale = of_scale->flat<float>().data();
    float* doffset = of_offset->flat<float>().data();

    const auto slopes = Slopes(channels, scale, variance);
    const Blocks blocks(positions, channels);
    std::vector<double> sums(channels), products(channels);
    OP_REQUIRES_OK(context,
                   blocks.Sum(
                       context, 2,
                       [&](int64_t start, int64_t size, float* sum) {
                         AddGradients(dy + start, x + start, size, channels, mean, slopes.data(), offset, top_, sum,
                                      sum + channels);
                       },
                       [&](int64_t, const float* sum) {
                         for (int64_t c = 0; c < channels; ++c) {
                           sums[c] += sum[c];
                           products[c] += sum[channels + c];
                         }
                       }));
    std::vector<float> constant(channels), linear(channels);
    for (int64_t c = 0; c < channels; ++c) {
      const double inverse = InverseDeviation(variance[c]);
      doffset[c] = sums[c];
      dscale[c] = products[c] * inverse;
      linear[c] = slopes[c] * inverse * inverse * products[c] / positions;
      constant[c] = slopes[c] * sums[c] / positions;
    }
    blocks.ForEach(context, [&](int64_t, int64_t start, int64_t size) {
      Backpropagate(dy + start, x + start, size, channels, mean, slopes.data(), offset, top_, constant.data(),
                    linear.data(), dx + start);
    });
  }
};

absl::Status ForwardShapes(tensorflow::shape_inference::InferenceContext* context) {
  context->set_output(0, context->input(0));
  context->set_output(1, context->input(1));
  context->set_output(2, context->input(1));
  return absl::OkStatus();
}

absl::Status BackwardShapes(tensorflow::shape_inference::InferenceContext* context) {
  context->set_output(0, context->input(1));
  context->set_output(1, context->input(2));
  context->set_output(2, context->input(2));
  return absl::OkStatus();
}

REGISTER_OP("BatchNormRelu")
    .Input("x: float")
    .Input("scale: float")
    .Input("offset: float")
    .Output("y: float")
    .Output("mean: float")
    .Output("variance: float")
    .Attr("epsilon: float")
    .Attr("max_value: float")
    .SetShapeFn(ForwardShapes);
REGISTER_OP("BatchNormReluGrad")
    .Input("dy: float")
    .Input("x: float")
    .Input("scale: float")
    .Input("offset: float")
    .Input("mean: float")
    .Input("variance: float")
    .Output("dx: float")
    .Output("dscale: float")
    .Output("doffset: float")
    .Attr("epsilon: float")
    .Attr("max_value: float")
    .SetShapeFn(BackwardShapes);
REGISTER_KERNEL_BUILDER(Name("BatchNormRelu").Device(tensorflow::DEVICE_CPU), Forward);
REGISTER_KERNEL_BUILDER(Name("BatchNormReluGrad").Device(tensorflow::DEVICE_CPU), Backward);

}  // namespace
