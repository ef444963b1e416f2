"""Hand-made features of light and dark, and a convnet, on digits of which a part lies in the shade.

CHAPTER   Chapter 5: Convolutional Neural Networks; Shortcomings of Feature Selection
CLAIM     Comparisons of light intensity no longer work under a shade; a network that learns its features suffers less.
EXPECTED  With the left half's light halved, Viola and Jones's light-dark rectangles with a linear classifier lose more
          than 0.1 of their accuracy, and more than a convnet does.
"""

import numpy as np
from _common import Result, experiment, spread, train


def rectangles(images):
    """Viola and Jones's two-rectangle features [examples, features]: differences of neighbouring sums of pixels."""
    total = np.pad(images[..., 0].cumsum(1).cumsum(2), [(0, 0), (1, 0), (1, 0)])
    box = lambda top, left, h, w: (  # noqa: E731
        total[:, top + h, left + w] - total[:, top, left + w] - total[:, top + h, left] + total[:, top, left]
    )
    found = []
    for size in (2, 4):
        for top in range(0, 9 - size):
            for left in range(0, 9 - size):
                half = size // 2
                found.append(box(top, left, size, half) - box(top, left + half, size, half))
                found.append(box(top, left, half, size) - box(top + half, left, half, size))
    return np.stack(found, axis=1)


def measure(quick, folder):
    """Classifies the test digits as they are, and with the left half in the shade."""
    from sklearn.linear_model import LogisticRegression

    import fdl_zoo as fdl

    losses = {"rectangles": [], "convnet": []}
    for seed in range(1 if quick else 3):
        data = fdl.load_dataset("digits", seed=seed)
        shaded = data.test.x.copy()
        shaded[:, :, :4] *= 0.5
        by_hand = LogisticRegression(max_iter=5000).fit(rectangles(data.train.x), data.train.y)
        run = train(folder, "convnet", data={"name": "digits", "seed": seed}, epochs=1 if quick else 10, seed=seed)
        right = {
            "rectangles": [by_hand.predict(rectangles(x)) for x in (data.test.x, shaded)],
            "convnet": [run.model.predict(x, verbose=0).argmax(axis=1) for x in (data.test.x, shaded)],
        }
        for name, answers in right.items():
            losses[name].append([np.mean(answer == data.test.y) for answer in answers])
    table = "; ".join(
        f"{name} {spread(np.array(each)[:, 0])}, shaded {spread(np.array(each)[:, 1])}" for name, each in losses.items()
    )
    lost = {name: -np.diff(np.mean(each, axis=0))[0] for name, each in losses.items()}
    return Result(f"test accuracy: {table}", bool(lost["rectangles"] > 0.1 and lost["rectangles"] > lost["convnet"]))


if __name__ == "__main__":
    experiment(measure)
