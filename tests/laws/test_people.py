"""Chance is counted, not streamed: each person is the same person everywhere, and the drawn people look like people."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regrow.dosing import Dose
from regrow.people import AGE_Y, WEIGHT_KG, Person, Population, Spread, Stated, normal, uniform
from regrow.refusal import Refusal

N = 200_000
CROWD = Population.draw(20_000)
GOLDEN_UNIFORM = [0.6090761909038723, 0.2446799354000203, 0.16462556043162924]
GOLDEN_NORMAL = [0.6888114160086007, 0.46117400869327824, 0.4233539969713123]
COLUMNS = ("index", "weight_kg", "height_cm", "age_y", "female", "baseline")


def code_of(call, *args, **named) -> str:
    with pytest.raises(Refusal) as caught:
        call(*args, **named)
    assert caught.value.field
    assert "\n" not in caught.value.sentence
    return caught.value.code


def same(one: Population, other: Population) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in COLUMNS)


# --- randomness ---


def test_person_17_is_the_same_in_a_run_of_100_and_of_a_million():
    small, large = normal(1, np.arange(100), "rating"), normal(1, np.arange(1_000_000), "rating")
    assert small[17] == large[17] == normal(1, 17, "rating") == normal(1, [17], "rating")[0]
    assert same(Population.draw(100)[17:18], Population.draw(100_000)[17:18])


@given(st.lists(st.integers(min_value=0, max_value=10**12), max_size=30), st.integers(0, 2**63 - 1))
def test_a_number_does_not_depend_on_who_else_is_asked_for(people, seed):
    together = uniform(seed, np.array(people, dtype=np.int64), "any")
    assert together.tolist() == [float(uniform(seed, person, "any")) for person in people]


@given(st.integers(0, 3000), st.integers(1, 3000))
def test_any_chunk_of_people_is_the_same_chunk(start, count):
    whole = normal(3, np.arange(6000), "chunk")
    assert np.array_equal(normal(3, np.arange(start, start + count), "chunk"), whole[start : start + count])
    backwards = np.arange(start + count - 1, start - 1, -1)
    assert np.array_equal(normal(3, backwards, "chunk"), whole[start : start + count][::-1])


def test_a_long_run_is_the_same_across_the_blocks_it_is_drawn_in():
    around = np.arange((1 << 18) - 5, (1 << 18) + 5)
    assert np.array_equal(uniform(1, np.arange(1 << 19), "block")[around], uniform(1, around, "block"))


def test_the_generator_gives_the_published_answer_and_counts_by_four_words():
    # Known answer of Philox4x64-10 for counter 0 and key 0 (Random123 kat_vectors); numpy counts on before it draws.
    ones = np.full(4, 2**64 - 1, np.uint64)
    zero = np.zeros(2, np.uint64)
    drawn = np.random.Philox(key=zero, counter=ones).random_raw(8)
    answer = ("16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b")
    assert [f"{word:016x}" for word in drawn[:4]] == list(answer)
    assert np.array_equal(np.random.Philox(key=zero, counter=np.zeros(4, np.uint64)).random_raw(4), drawn[4:])


def test_the_numbers_of_a_person_never_change_from_version_to_version():
    assert uniform(1, [0, 17, 10**9], "person:sex").tolist() == pytest.approx(GOLDEN_UNIFORM, abs=1e-15)
    assert normal(1, [0, 17, 10**9], "rating").tolist() == pytest.approx(GOLDEN_NORMAL, abs=1e-12)


@pytest.mark.parametrize("pair", [("a", "b"), ("parameter:x", "parameter:y"), ("rating:1", "rating:2")])
def test_different_purposes_and_seeds_are_uncorrelated(pair):
    one, other = (normal(1, np.arange(N), purpose) for purpose in pair)
    limit = 4 / np.sqrt(N)
    assert abs(np.corrcoef(one, other)[0, 1]) < limit
    assert abs(np.corrcoef(one, normal(2, np.arange(N), pair[0]))[0, 1]) < limit
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < limit


def test_seed_and_purpose_do_not_run_into_each_other():
    assert uniform(1, 0, "1:x") != uniform(11, 0, ":x")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_normal_numbers_are_normal_and_uniform_ones_uniform(seed):
    assert stats.kstest(normal(seed, np.arange(N), "shape"), "norm").pvalue > 1e-3
    assert stats.kstest(uniform(seed, np.arange(N), "shape"), "uniform").pvalue > 1e-3


def test_uniform_numbers_lie_strictly_between_0_and_1_and_normal_ones_are_finite():
    values = uniform(1, np.arange(N), "edge")
    assert 0 < values.min() < values.max() < 1
    assert np.isfinite(normal(1, np.arange(N), "edge")).all()


def test_the_shape_of_the_index_is_kept():
    assert normal(1, np.arange(6).reshape(2, 3), "shape").shape == (2, 3)
    assert normal(1, [], "shape").shape == (0,)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", None, True])
def test_a_bad_seed_is_refused(seed):
    assert code_of(normal, seed, 0, "x") == "SEED-BAD"


@pytest.mark.parametrize("person", [-1, [0, -5], 1.5])
def test_a_bad_index_is_refused(person):
    assert code_of(normal, 1, person, "x") == "PEOPLE-RANGE"


# --- people ---


def test_the_drawn_people_have_the_moments_of_their_sources():
    assert CROWD.female.mean() == pytest.approx(0.634, abs=0.012)
    assert CROWD.age_y.mean() == pytest.approx(50.7, abs=0.5)
    bmi = CROWD.weight_kg / (CROWD.height_cm / 100) ** 2
    assert bmi.mean() == pytest.approx(28.0, abs=0.3)
    assert bmi.std() == pytest.approx(5.81, abs=0.4)
    assert CROWD.height_cm[CROWD.female].mean() == pytest.approx(161.3, abs=0.3)
    assert CROWD.height_cm[~CROWD.female].mean() == pytest.approx(175.3, abs=0.3)
    assert CROWD.baseline.mean() == pytest.approx(33, abs=0.3)
    assert CROWD.baseline.std() == pytest.approx(5.4, abs=0.2)


def test_weight_goes_with_height_and_severity_goes_with_neither():
    women = CROWD.female
    assert 0.3 < np.corrcoef(CROWD.weight_kg[women], CROWD.height_cm[women])[0, 1] < 0.5
    assert CROWD.weight_kg[~women].mean() > CROWD.weight_kg[women].mean() + 8
    assert abs(np.corrcoef(CROWD.baseline, CROWD.weight_kg)[0, 1]) < 0.03


def test_every_drawn_person_is_one_that_could_be_stated():
    for place in range(0, 2000, 7):
        CROWD.person(place)
    assert WEIGHT_KG[0] <= CROWD.weight_kg.min()
    assert CROWD.weight_kg.max() <= WEIGHT_KG[1]
    assert (CROWD.age_y >= 18).all()
    assert CROWD.age_y.max() <= AGE_Y[1]


def test_what_is_stated_is_fixed_for_all_and_shifts_nobody_else():
    stated = Population.draw(500, stated=Stated(weight_kg=80.0, female=True))
    drawn = Population.draw(500)
    assert set(stated.weight_kg) == {80.0}
    assert stated.female.all()
    assert np.array_equal(stated.age_y, drawn.age_y)
    assert np.array_equal(stated.baseline, drawn.baseline)
    assert np.array_equal(stated.height_cm[drawn.female], drawn.height_cm[drawn.female])


def test_a_stated_spread_is_drawn_within_what_a_person_may_be():
    stated = Stated(weight_kg=Spread(80, 18), age_y=Spread(40, 10), female=0.5, baseline=Spread(7.6, 4.0))
    people = Population.draw(20_000, stated=stated)
    assert people.weight_kg.mean() == pytest.approx(80, abs=0.6)
    assert people.weight_kg.std() == pytest.approx(18, abs=0.6)
    assert people.female.mean() == pytest.approx(0.5, abs=0.015)
    assert (people.baseline >= 0).all()
    women = people.female
    assert np.corrcoef(people.weight_kg[women], people.height_cm[women])[0, 1] == pytest.approx(0.4, abs=0.03)


def test_a_spread_without_sd_is_one_value():
    assert set(Population.draw(10, stated=Stated(age_y=Spread(40, 0))).age_y) == {40.0}


def test_parts_of_a_population_are_the_people_of_the_whole_wherever_they_are_drawn():
    whole = Population.draw(1000, seed=5)
    assert same(Population.draw(200, seed=5, first=300), whole[300:500])
    who = np.array([17, 3, 999])
    assert whole[who].index.tolist() == [17, 3, 999]
    assert whole[who].weight_kg.tolist() == [whole.weight_kg[place] for place in who]
    assert len(whole[10:20]) == whole[10:20].n == 10


def test_a_population_survives_the_way_to_a_worker():
    assert same(pickle.loads(pickle.dumps(CROWD[:10])), CROWD[:10])


def test_the_typical_person_is_the_default_with_what_is_stated():
    person = Stated.read(weight="80 kg", sex="male").person()
    assert person == Person(weight_kg=80, female=False)
    people = Population.of(person)
    assert people.typical
    assert people.n == 1
    assert people.person(0) == person
    assert people.weight_kg.tolist() == [80.0]


def test_an_unknown_height_is_refused_only_where_it_is_needed():
    people = Population.of(Person())
    assert Dose.of("0.5 mg/kg").mg(people.weight_kg, people.height_cm, people.female).tolist() == [35.0]
    assert code_of(Dose.of("1 mg/kg ideal").mg, people.weight_kg, people.height_cm, people.female) == "HEIGHT-MISSING"


def test_text_is_read_into_what_is_stated():
    read = Stated.read(weight="176 lb", height="1.7 m", age="540 mo", sex="F", baseline="33.5")
    assert (read.female, read.baseline) == (True, 33.5)
    assert read.weight_kg == pytest.approx(79.83, abs=0.01)
    assert read.height_cm == pytest.approx(170)
    assert read.age_y == pytest.approx(45)
    assert Stated.read() == Stated()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"weight": "80"}, "UNIT-MISSING"),
        ({"weight": "80 cm"}, "UNIT-DIMENSION"),
        ({"weight": "0.8 kg"}, "WEIGHT-RANGE"),
        ({"weight": "800 kg"}, "WEIGHT-RANGE"),
        ({"weight": "-80 kg"}, "WEIGHT-RANGE"),
        ({"weight": "nan kg"}, "NUMBER-BAD"),
        ({"height": "17 cm"}, "HEIGHT-RANGE"),
        ({"height": "170"}, "UNIT-MISSING"),
        ({"age": "450 y"}, "AGE-RANGE"),
        ({"age": "-1 y"}, "AGE-RANGE"),
        ({"baseline": "61"}, "BASELINE-RANGE"),
        ({"baseline": "nan"}, "NUMBER-BAD"),
        ({"baseline": "much"}, "NUMBER-BAD"),
        ({"sex": "unknown"}, "SEX-UNKNOWN"),
    ],
)
def test_a_bad_option_is_refused_by_its_own_code(options, code):
    assert code_of(Stated.read, **options) == code


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Person(weight_kg=float("nan")), "WEIGHT-RANGE"),
        (lambda: Stated(weight_kg=Spread(800, 10)), "WEIGHT-RANGE"),
        (lambda: Stated(weight_kg=Spread(80, -1)), "SPREAD-BAD"),
        (lambda: Stated(female=1.5), "SEX-UNKNOWN"),
        (lambda: Population.draw(0), "PEOPLE-RANGE"),
        (lambda: Population.draw(10**9), "PEOPLE-RANGE"),
        (lambda: Population.draw(1, seed=-1), "SEED-BAD"),
    ],
)
def test_people_that_cannot_be_are_refused(make, code):
    assert code_of(make) == code


def test_a_weight_refusal_names_field_value_limit_and_way_out():
    with pytest.raises(Refusal, match=r"weight: 800 kg is outside 30 to 250 kg; give a value") as caught:
        Stated.read(weight="800 kg")
    assert caught.value.value == 800
