"""Requirement lines name packages and versions; where packages come from is not theirs to say."""

import pytest

from hansard.formats.problems import BundleError
from hansard.formats.requirements import MAX_REQUIREMENTS, check_requirements


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy==2.0",
        "Foo.bar_baz[a,b] >= 1.0, != 1.5 ; python_version >= '3.11'",
        "numpy (>=2.0)",
        "a~=1.2.*; (os_name == 'nt' or extra == \"x\") and 'linux' not in sys_platform",
    ],
)
def test_plain_requirements_are_kept_as_written(line: str) -> None:
    assert check_requirements([("hansard.json", line)]) == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "numpy @ https://example.org/numpy.whl",
        "https://example.org/numpy.whl",
        "git+https://example.org/repo",
        "-r other.txt",
        "--index-url https://example.org",
        "-e .",
        "./local",
        "../local",
        "/local",
        "numpy==2.0 --hash=sha256:00",
        "numpy>=1 <2",
        "numpy (>=2.0",
        "numpy; os.system('x')",
        "numpy; python_version",
        "numpy; (python_version > '3'",
        "numpy\n--pre",
        "hansard",
        "HANSARD[cli]>=0.1",
        "n" * 301,
    ],
)
def test_requirements_that_name_a_place_or_an_option_are_refused(line: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_requirements([("hansard.json", line)])
    assert caught.value.problem_code == "invalid_requirement"


def test_a_bundle_has_a_bounded_number_of_requirements() -> None:
    with pytest.raises(BundleError) as caught:
        check_requirements([("hansard.json", "numpy")] * (MAX_REQUIREMENTS + 1))
    assert caught.value.problem_code == "too_many_requirements"
