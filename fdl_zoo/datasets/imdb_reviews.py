"""IMDB reviews: 50,000 film reviews, negative (0) or positive (1), as sequences of words (chapter 7).

The most frequent words of the training split are numbered from 2; 0 is padding, 1 any other word. A recurrent model
reads them with the option `vocabulary` of the same value.
"""

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split
from fdl_zoo.datasets import _tfds

CARD = Card(
    task="binary",
    chapter=7,
    citation="Maas et al. (2011), Learning word vectors for sentiment analysis",
    input_shape=(200,),
    num_outputs=1,
    tags=("sequence", "text", "tfds"),
    ranges={"vocabulary": "[3, inf)", "length": "[1, inf)", "seed": "[0, inf)"},
    source="tfds:imdb_reviews/plain_text:1.0.0",
)


def build(*, vocabulary: int = 10_000, length: int = 200, data_dir: str | None = None, seed: int = 0) -> Dataset:
    """Loads the reviews, x [examples, length] int32 word numbers; a tenth of the training reviews are for validation.

    Args:
        vocabulary: Number of words, padding and the unknown word included.
        length: Words that are kept of each review, its first ones.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training reviews are for validation.

    Raises:
        InvalidData: It is neither prepared nor reachable.
    """
    prepared = _tfds.builder(CARD.source, data_dir)
    train, test = _tfds.arrays(prepared, "train"), _tfds.arrays(prepared, "test")
    fitted, chosen = _tfds.held_out(len(train["label"]), seed, 10)
    words = keras.layers.TextVectorization(vocabulary, standardized, output_sequence_length=length)
    words.adapt(train["text"][fitted])
    parts = [(train, fitted), (train, chosen), (test, np.arange(len(test["label"])))]
    splits = [Split(_numbered(words, part["text"][rows]), part["label"][rows].astype(np.int64)) for part, rows in parts]
    return Dataset(*splits, (length,), 1, "binary", ("negative", "positive"))


def standardized(texts: tf.Tensor) -> tf.Tensor:
    """Lower case without punctuation; the reviews' line breaks `<br />` part words."""
    parted = tf.strings.regex_replace(tf.strings.lower(texts), "<br ?/?>", " ")
    return tf.strings.regex_replace(parted, r"[!-/:-@\[-`{-~]", "")


def _numbered(words: keras.layers.TextVectorization, texts: np.ndarray, block: int = 1024) -> np.ndarray:
    """Texts [n] as word numbers [n, length], in blocks so that memory stays small."""
    blocks = [np.asarray(words(texts[start : start + block])) for start in range(0, len(texts), block)]
    return np.concatenate(blocks).astype(np.int32)
