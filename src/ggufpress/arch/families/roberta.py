"""RoBERTa, XLM-RoBERTa and CamemBERT.

How the checkpoint differs from the GGUF layout:

1. Names may begin with "roberta.", and norms may be called gamma and beta.
2. Positions begin behind those of padding: their table loses pad_token_id + 1 rows, and the context is as much shorter.
3. Pooler and heads of pre-training are left out. The classifier's matrices become cls and cls.output; its labels are
   metadata, but for the two dummies of every config.
4. The reference takes CamemBERT for BERT and fails at its tokenizer. Here it is the XLM-RoBERTa that it is.
5. Jina's third embedding model has the class XLMRobertaModel: see jina_bert.py.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (RobertaModel, XLMRobertaModel);
transformers 4.57.6, models/{roberta,xlm_roberta,camembert}/configuration_*.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import read_through_class
from ggufpress.arch.encoders import (
    BERT_DEFAULTS,
    OLD_NORM_NAMES,
    PRE_TRAINING,
    UNUSED_HEADS,
    are_dummies,
    bert_embeddings,
    bert_layers,
    encoder_class,
    encoder_metadata,
    encoder_sizes,
    head,
    label_keys,
    output_labels,
    positions_behind_padding,
    token_types,
)
from ggufpress.arch.families.jina_bert import describe_v3
from ggufpress.arch.layers import linear
from ggufpress.arch.spec import Arch, Drop

ROBERTA = ("RobertaModel", "RobertaForSequenceClassification")
XLM_ROBERTA = ("XLMRobertaModel", "XLMRobertaForSequenceClassification")
CLASSES = (*ROBERTA, *XLM_ROBERTA, "CamembertModel")

_DEFAULTS = BERT_DEFAULTS | {"pad_token_id": 1}
CONFIG_CLASSES = {
    "roberta": encoder_class(_DEFAULTS | {"vocab_size": 50265}),
    "xlm-roberta": encoder_class(_DEFAULTS),
    "camembert": encoder_class(_DEFAULTS),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a model of the RoBERTa kind. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    labels = output_labels(config, known=config is not raw)
    labels = () if are_dummies(labels) else labels
    config, skipped = positions_behind_padding(config)
    if hf_class in XLM_ROBERTA and config.find("lora_adaptations"):
        return describe_v3(config, hf_class, labels)
    s = encoder_sizes(config)
    return Arch(
        name="bert",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="roberta" if hf_class in ROBERTA else "xlm-roberta" if hf_class in XLM_ROBERTA else "camembert",
        metadata=tuple(encoder_metadata(config, "bert")),
        rules=(
            *bert_embeddings(config, s, skipped),
            *bert_layers(s),
            *linear("cls", "classifier.dense", (s.n_embd, s.n_embd), required=False),
            *head("classifier.out_proj", "cls.output"),
        ),
        drops=(*UNUSED_HEADS, Drop("lm_head.*", PRE_TRAINING)),
        pooled=True,
        pooled_keys=label_keys("bert", labels),
        prefixes=(("roberta.", ""), ("bert.", "")),
        endings=OLD_NORM_NAMES,
        n_token_types=token_types(config),
    )
