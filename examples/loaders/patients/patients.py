"""442 real diabetes patients (Efron et al., 2004), shipped with scikit-learn."""

import polars as pl
from sklearn.datasets import load_diabetes

import hansard


class Patients(hansard.DatasetLoader):
    """A table with one row for each patient: a number, age, sex, body mass, blood, progression."""

    def table(self) -> pl.DataFrame:
        """Ages in years, body mass index in kg/m2, blood pressure in mmHg; `patient` is unique."""
        found = load_diabetes(scaled=False)
        measures = dict(zip(found.feature_names, found.data.T, strict=True))
        return pl.DataFrame(
            {
                "patient": [f"patient {number:03}" for number in range(len(found.target))],
                "age": measures["age"].astype(int),
                "sex": ["female" if sex == 1 else "male" for sex in measures["sex"]],
                "body_mass": measures["bmi"],
                "blood_pressure": measures["bp"],
                "glucose": measures["s6"],
                "progression": found.target,
            }
        )
