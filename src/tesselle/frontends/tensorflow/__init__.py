"""SavedModels of TensorFlow 2. TensorFlow is needed to read them, in a process of its own; it is never imported here."""

from tesselle.frontends.tensorflow.importer import SavedModelOptions, import_saved_model

__all__ = ["SavedModelOptions", "import_saved_model"]
