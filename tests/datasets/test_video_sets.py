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
    with pytest.raises(
        ValueError, match="'swim'; labels are those of the training"
    ):
        video_set(folders, "validation")


def test_a_folder_of_pictures_is_one_video(folders):
    assert videos_of(folders / "train" / "jump")[-1].endswith("frames")


def test_hidden_files_links_and_stray_images_are_no_videos(folders, caplog):
    for name in ("run/._b.mp4", ".cache/x.mp4", "run/b.jpg", "jump/c.txt"):
        (folders / "train" / name).parent.mkdir(exist_ok=True)
        (folders / "train" / name).touch()
    (folders / "train" / "run" / "deep" / "loop").symlink_to("..")
    videos = video_set(folders)
    assert videos.classes == ("jump", "run") and videos.count == 4
    assert videos.problems == {
        "left out, hidden or of the system": 2,
        "left out, of other kinds": 2,
        "left out, links to what is listed already": 1,
        "left out, images beside videos": 1,
    }
    (record,) = caplog.records
    assert "6 entries left out" in record.message


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
    films = tmp_path / "films"
    films.mkdir()
    assert video_set(path, root=films).paths[1] == f"{films}/2.mp4"


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


KINETICS = "label,youtube_id,time_start,time_end,split"
WRONG_LISTS = {
    "columns": (
        ["file,label", "1.mp4,a"],
        "must start with a header line .*'file'",
    ),
    "no rows": (["path,label"], "has no videos"),
    "empty": ([""], r"must start with a header line .*Received: \[\]"),
    "split": (["path,label,split", "1.mp4,a,test"], "no split 'train'.*'test'"),
    "column twice": (["path,label,label", "1.mp4,a,b"], "column once.*'label'"),
    "semicolons": (["path;label", "1.mp4;a"], "column once.*'path;label'"),
    "short row": (["path,label", "1.mp4"], "2 columns.*: line 2 has 1"),
    "comma in a path": (
        ["path,label", "a.mp4,x", "1,2.mp4,a"],
        "1 of its lines .* line 3 has 3. Put values .* in quotes",
    ),
    "open quote": (["path,label", '"1.mp4,a', "2.mp4,b"], "line 3: .*end of"),
    "no label": (["path,label", "1.mp4, "], "line 2: label is ''"),
    "no path": (["path,label", ",run"], "line 2: path is ''"),
    "no split": (["path,label,split", "1.mp4,run,"], "line 2: split is ''"),
    "control": (["path,label", "1.mp4,\x1b[2J"], r"label is '\\x1b\[2J'"),
    "time": ([KINETICS, "run,yy,0,ten,train"], "line 2: time_end is 'ten'"),
    "time nan": ([KINETICS, "run,yy,nan,1,train"], "time_start is 'nan'"),
    "time huge": ([KINETICS, "run,yy,0,1e300,train"], "time_end is '1e300'"),
    "class number": (
        ["path,label", "1.mp4,9999999999"],
        "line 2: '9999999999'",
    ),
    "long number": (["path,label", f"1.mp4,{'9' * 5000}"], "below 1,000,000"),
    "two labels": (
        ["path,label", "1.mp4,run", "2.mp4,fly", "1.mp4,fly"],
        "'1.mp4' is 'run' in line 2 and 'fly' in line 4",
    ),
}


@pytest.mark.parametrize(
    "lines, message", WRONG_LISTS.values(), ids=list(WRONG_LISTS)
)
def test_a_list_that_cannot_be_read_is_refused(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        video_set(write(tmp_path / "list.csv", *lines))


def test_a_list_that_is_no_text_or_no_file_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("path,label\n1.mp4,é\n".encode("latin-1"))
    with pytest.raises(ValueError, match="list.csv is not UTF-8 text: line 2"):
        video_set(path)
    with pytest.raises(
        FileNotFoundError, match="There is no file .*absent.csv"
    ):
        video_set(tmp_path / "absent.csv")


def test_lists_of_spreadsheets_are_read(tmp_path):
    text = 'path , label\r\n"a,1.mp4",run \r\n\r\n2.mp4,run\r\n'
    path = tmp_path / "list.csv"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        videos = video_set(path)
        assert videos.classes == ("run",)
        assert videos.paths[0] == f"{tmp_path}/a,1.mp4" and videos.count == 2


def test_a_folder_without_videos_is_refused(tmp_path):
    (tmp_path / "train" / "run").mkdir(parents=True)
    with pytest.raises(ValueError, match="has no videos. Known .*mp4"):
        video_set(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        video_set("/nowhere/at/all")
