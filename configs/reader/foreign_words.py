"""Words that people bring from other programs, and what they are called here. Standard library only."""

#: Commands -> ours, with the options that make it the same.
FOREIGN_COMMANDS = {
    **dict.fromkeys(("predict", "infer", "inference"), "detect"),
    **dict.fromkeys(("val", "valid", "validate", "test", "evaluate"), "eval"),
    **dict.fromkeys(("benchmark", "speed"), "bench"),
    **dict.fromkeys(("fit", "finetune"), "train"),
    **dict.fromkeys(("watch", "serve", "stream"), "run"),
    "track": "detect --track",
    "convert": "data convert",
    "split": "data split",
    "label": "data label",
}

#: Options and arguments of commands -> ours, the first that a command has: an option, an argument in capitals, or a
#: setting, which ends in an equals sign.
OPTIONS = {
    **dict.fromkeys(("weights", "checkpoint", "ckpt", "onnx"), ("MODEL", "RUN", "model=")),
    "model": ("MODEL", "RUN", "model=", "CONFIG"),
    **dict.fromkeys(("cfg", "config"), ("CONFIG", "MODEL")),
    **dict.fromkeys(("source", "input", "image", "images", "img", "video"), ("SOURCE", "source=")),
    **dict.fromkeys(
        ("conf", "confidence", "conf_thres", "conf_threshold", "threshold", "score_thr", "score_threshold"),
        ("--score", "score="),
    ),
    **dict.fromkeys(("imgsz", "img_size", "image_size", "size", "input_shape"), ("--input-size",)),
    **dict.fromkeys(("dataset", "data_dir"), ("--data",)),
    **dict.fromkeys(("batch_size", "bs"), ("--batch",)),
    **dict.fromkeys(("output", "output_dir", "save_dir", "project"), ("--out",)),
    **dict.fromkeys(("max_det", "max_dets"), ("--max-detections",)),
    **dict.fromkeys(("view_img", "view"), ("--show",)),
    **dict.fromkeys(("exist_ok", "overwrite"), ("--force",)),
    "dynamic": ("--dynamic-batch",),
    "nosave": ("--no-images",),
}

#: Words that no argument of a command stands for -> what to do instead.
ANSWERS = {
    **dict.fromkeys(
        ("imgsz", "img_size", "image_size", "input_size"),
        "an exported file has one input size; `fusedet export MODEL --input-size 256` makes one of another",
    ),
    "device": "this command runs on the CPU; a training takes train.device=cuda",
    "format": "this writes ONNX, which is all that fusedet exports",
    **dict.fromkeys(
        ("iou", "iou_thres"), "the exported file says its NMS; --duplicate-iou removes duplicates after it"
    ),
    **dict.fromkeys(("save", "save_img"), "images are written unless there is --no-images; --out DIR says where"),
    **dict.fromkeys(("save_txt", "save_json"), "--json FILE writes what was found"),
    **dict.fromkeys(("opset", "simplify"), "the exported file has what ONNX Runtime needs already"),
    **dict.fromkeys(("task", "mode"), "fusedet detects objects, and the command comes first: fusedet detect"),
}

#: Words that no setting of a training stands for -> what to do instead.
NO_SETTINGS = {
    **dict.fromkeys(("name", "project"), "train.out=runs/my_run names the run folder"),
    "amp": "train.precision=16-mixed or bf16-mixed on a GPU, as train.precision=auto chooses by itself",
    "cos_lr": "optim.schedule=cosine is what a training does by itself",
    "exist_ok": "nothing is replaced: train.out=DIR names a new run folder",
}

#: Settings of a training -> the whole key.
SETTINGS = {
    **dict.fromkeys(("data", "dataset", "data_dir", "root"), "data.root"),
    **dict.fromkeys(("imgsz", "img_size", "image_size", "img", "size", "input_shape"), "model.input_size"),
    **dict.fromkeys(("nc", "num_classes"), "model.classes"),
    **dict.fromkeys(("batch", "batch_size", "bs"), "train.batch"),
    **dict.fromkeys(("num_epochs", "max_epochs"), "train.epochs"),
    **dict.fromkeys(("weights", "pretrained", "checkpoint", "load_from"), "train.init"),
    **dict.fromkeys(("output", "output_dir", "save_dir"), "train.out"),
    **dict.fromkeys(("gpus", "num_gpus"), "train.devices"),
    **dict.fromkeys(("num_workers",), "data.workers"),
    **dict.fromkeys(("lr0", "learning_rate", "base_lr"), "optim.lr"),
    "lrf": "optim.final_lr",
    "optimizer": "optim.name",
    "fliplr": "augment.flip",
    "flipud": "augment.flip_vertical",
    "hsv_h": "augment.hue",
    "hsv_s": "augment.saturation",
    "hsv_v": "augment.value",
    "degrees": "augment.rotate",
    "close_mosaic": "augment.close_epochs",
    "early_stopping": "train.patience",
}

#: Keys of a section of a config -> ours, the first that the section has.
KEYS = {
    **dict.fromkeys(("url", "uri", "address", "input", "stream", "rtsp", "device"), ("source", "url", "host")),
    **dict.fromkeys(("file", "filename"), ("path", "source")),
    **dict.fromkeys(("dir", "directory", "path"), ("folder", "source")),
    **dict.fromkeys(("server", "broker", "hostname", "ip"), ("host",)),
    **dict.fromkeys(("user", "login"), ("username",)),
    **dict.fromkeys(("pass", "pwd", "passwd"), ("password",)),
    **dict.fromkeys(("confidence", "conf", "threshold", "min_score"), ("score",)),
    **dict.fromkeys(("labels", "objects", "names"), ("classes",)),
    **dict.fromkeys(("polygon", "coordinates", "corners"), ("points",)),
}
