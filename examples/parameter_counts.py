"""Parameters of dense and of convolutional layers by image size, and the sizes of a convolution's output.

CHAPTER   Vanilla Deep NNs don’t scale; Convolutional Layer
CLAIM     A dense layer's weights grow with the image, a convolution's do not. Of filters of extent e, stride s and zero
          padding p the output is (in - e + 2 p) / s + 1 wide and high, and as deep as there are filters.
EXPECTED  784 weights per neuron at 28x28, 120,000 at 200x200 in colour; the filters' number of weights stays the same;
          the formula agrees with Keras for every e, s and p tried.
"""

from _common import Result, experiment


def agrees(size, extent, stride, padding):
    """Whether Keras's output has the size of the formula."""
    import keras

    x = keras.layers.ZeroPadding2D(padding)(keras.Input((size, size, 3)))
    shape = keras.layers.Conv2D(7, extent, strides=stride)(x).shape
    side = (size - extent + 2 * padding) // stride + 1
    return shape[1:] == (side, side, 7)


def measure(quick, folder):
    """Builds layers and counts; nothing is random."""
    import keras

    rows, per_neuron, filters = ["image,weights per dense neuron,weights of 32 filters of 5x5"], [], []
    for shape in ((28, 28, 1), (32, 32, 3), (64, 64, 3), (200, 200, 3)):
        inputs = keras.Input(shape)
        dense = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(inputs)))
        convolution = keras.Model(inputs, keras.layers.Conv2D(32, 5, use_bias=False)(inputs))
        per_neuron.append(dense.count_params())
        filters.append(convolution.count_params() // shape[-1])  # per channel of the input
        rows.append(f"{'x'.join(map(str, shape))},{per_neuron[-1]},{convolution.count_params()}")
    (folder / "parameters.csv").write_text("\n".join(rows) + "\n")
    cases = [(n, e, s, p) for n in (8, 28) for e in (1, 3, 5) for s in (1, 2, 3) for p in (0, 1, 2)]
    right = sum(agrees(*case) for case in cases)
    return Result(
        f"weights per dense neuron {', '.join(f'{count:,}' for count in per_neuron)}; of 32 filters {filters[0]} per"
        f" channel at each size; the formula agrees in {right} of {len(cases)} cases",
        per_neuron[0] == 784 and per_neuron[-1] == 120_000 and len(set(filters)) == 1 and right == len(cases),
    )


if __name__ == "__main__":
    experiment(measure)
