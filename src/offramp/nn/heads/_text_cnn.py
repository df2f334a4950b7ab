"""A whole small network for texts as a head, for the exit at the input.

Shape letters: B batch, T tokens, D features, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from offramp.errors import OptionError
from offramp.nn._pooled import mean_of_tokens

_DROPOUT = 0.3  # of the token vectors: a few thousand texts name most words a few times only


class TextCNN(nn.Module):
    """Token vectors of its own; their mean, and the largest answers of filters over neighboring tokens, decide.

    Looking vectors up costs no multiply-accumulates, so this is nearly free next to a transformer: width 64 over 64
    tokens costs 0.8 M.

    Args:
        shape: Shape (T) of one sample: its token numbers.
        classes: Number of logits, at least 2.
        vocabulary: Number of tokens in the vocabulary.
        width: D, the length of a token's vector, and the number of filters.
        window: Number of neighboring tokens that a filter sees, an odd number; 1 leaves the filters out.

    Reference:
        Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014, section 2, for filters and their
        maximum over time; Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text Classification",
        ACL 2015, section 2, for the mean. There is one window here instead of three.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, vocabulary: int, width: int, window: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.dropout = nn.Dropout(_DROPOUT)
        self.filters = nn.Conv1d(width, width, window, padding=window // 2) if window > 1 else None
        columns = width if self.filters is None else 2 * width
        self.mix = nn.Linear(columns, width)
        self.activation = nn.GELU()
        self.classifier = nn.Linear(width, classes)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Answer a batch.

        Args:
            tokens: Token numbers [B, T].
            mask: [B, T], 0 at padded tokens; None counts all of them.

        Returns:
            Logits [B, K].
        """
        vectors = self.dropout(self.embedding(tokens))
        if mask is not None:
            vectors = vectors * mask.unsqueeze(2).to(vectors.dtype)
        seen = mean_of_tokens(vectors, mask)
        if self.filters is not None:
            found = torch.relu(self.filters(vectors.transpose(1, 2)))
            if mask is not None:
                found = found * mask.unsqueeze(1).to(found.dtype)
            seen = torch.cat([seen, found.amax(dim=2)], dim=1)
        logits: Tensor = self.classifier(self.activation(self.mix(seen)))
        return logits


def build_text_cnn(
    shape: tuple[int, ...], classes: int, *, vocabulary: int = 0, width: int = 64, window: int = 3
) -> nn.Module:
    """The head for token numbers; see `TextCNN`.

    Args:
        shape: Shape (T) of one sample: its token numbers.
        classes: Number of logits, at least 2.
        vocabulary: Number of tokens in the vocabulary, above 0.
        width: Length of a token's vector, and number of filters.
        window: Number of neighboring tokens that a filter sees, an odd number.

    Returns:
        A module from token numbers, and their mask if there is one, to logits.

    Raises:
        OptionError: No vocabulary, or an even window.
    """
    if not vocabulary or window % 2 == 0:
        raise OptionError(
            f"a head for token numbers needs vocabulary=N and an odd window, but got {vocabulary} and {window}. "
            "Write student:vocabulary=30522."
        )
    return TextCNN(shape, classes, vocabulary=vocabulary, width=width, window=window)
