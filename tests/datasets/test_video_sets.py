"""Videos of folders, lists and TFDS are found with the labels they have."""

import pytest

from keras_pyconv.datasets.video_sets import video_set, videos_of


@pytest.fixture
def folders(tmp_path):
    for path in (
        "train/run/b.mp4",
        "train/run/deep/a.AVI",
        "train/jump/c.mkv",
        "train/jump/notes.txt",
        "train/jump/frames/1.jpg",
        "val/run/d.webm",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def test_classes_are_folders_and_videos_lie_however_deep(folders):
    videos = video_set(str(folders))
    assert videos.classes == ("jump", "run")
    below = [path.removeprefix(f"{folders}/train/") for path in videos.paths]
    assert below == ["jump/c.mkv", "jump/frames", "run/b.mp4", "run/deep/a.AVI"]
    assert videos.labels == (0, 0, 1, 1)
    assert videos.count == 4


def test_labels_of_the_validation_split_are_those_of_training(folders):
    videos = video_set(folders, "validation")
    assert videos.labels == (1,) and videos.classes == ("jump", "run")
    (folders / "val" / "swim").mkdir()
    with pytest.raises(ValueError, match="'swim'; labels count the training"):
        video_set(folders, "validation")


def test_a_folder_of_pictures_is_one_video(folders):
    assert videos_of(folders / "train" / "jump")[-1].endswith("frames")


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_list_names_paths_and_labels(tmp_path):
    path = write(
        tmp_path / "list.csv", "path,label", "x/1.mp4,run", "2.mp4,fly"
    )
    videos = video_set(path)
    assert videos.classes == ("fly", "run") and videos.labels == (1, 0)
    assert videos.paths[0] == str(tmp_path / "x" / "1.mp4")
    assert video_set(path, root="/films").paths[1] == "/films/2.mp4"


def test_numbers_as_labels_stay_what_they_are(tmp_path):
    path = write(tmp_path / "list.csv", "path,label", "1.mp4,3", "2.mp4,10")
    videos = video_set(path)
    assert videos.labels == (3, 10) and len(videos.classes) == 11


def test_a_list_of_kinetics_says_where_its_videos_lie(tmp_path):
    path = write(
        tmp_path / "both.csv",
        "label,youtube_id,time_start,time_end,split",
        "abseiling,0347ZoDXyP0,95,105,train",
        "zumba,zz,0,10,validate",
    )
    (file,) = video_set(path, "train").paths
    assert file == f"{tmp_path}/abseiling/0347ZoDXyP0_000095_000105.mp4"
    validation = video_set(path, "validation")
    assert validation.labels == (1,) and validation.count == 1


@pytest.mark.parametrize(
    "lines, message",
    [
        (["file,label", "1.mp4,a"], "must begin with a line .*'file'"),
        (["path,label"], "must begin with a line"),
        (["path,label,split", "1.mp4,a,test"], "no split 'train'.*'test'"),
    ],
    ids=["columns", "empty", "split"],
)
def test_a_list_that_cannot_be_read_is_refused(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        video_set(write(tmp_path / "list.csv", *lines))


def test_a_folder_without_videos_is_refused(tmp_path):
    (tmp_path / "train" / "run").mkdir(parents=True)
    with pytest.raises(ValueError, match="has no videos. Known .*mp4"):
        video_set(tmp_path)
    with pytest.raises(ValueError, match="There is no folder"):
        video_set("/nowhere/at/all")
