"""Kinds of names: who is a person, what a place, so that a wrong name is of the right kind."""

from __future__ import annotations

import re

_LISTS: dict[str, str] = {
    "month": "January|February|March|April|May|June|July|August|September|October|November|December",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "country": (
        "Afghanistan|Argentina|Australia|Austria|Bangladesh|Belgium|Brazil|Britain|Bulgaria|Canada|Chile|China|Colombia|"
        "Cuba|Denmark|Egypt|England|Ethiopia|Finland|France|Germany|Ghana|Greece|Hungary|Iceland|India|Indonesia|Iran|"
        "Iraq|Ireland|Israel|Italy|Jamaica|Japan|Jordan|Kenya|Malaysia|Mexico|Morocco|Nepal|New Zealand|"
        "Nigeria|Norway|Pakistan|Peru|Poland|Portugal|Romania|Russia|Saudi Arabia|Scotland|Serbia|Singapore|"
        "South Africa|South Korea|Spain|Sri Lanka|Sweden|Switzerland|Taiwan|Tanzania|Thailand|Turkey|Uganda|Ukraine|"
        "United Kingdom|Venezuela|Vietnam|Wales|Zimbabwe|Northern Ireland"
    ),
    # States whose names take an article.
    "union": (
        "United States|United Kingdom|US|UK|USA|U.S.|U.K.|EU|European Union|Soviet Union|Netherlands|Philippines|"
        "Czech Republic|Dominican Republic|Republic of Ireland"
    ),
    "region": "African|Asian|European|Roman|Arab|Scandinavian",
    "nationality": (
        "American|Argentine|Australian|Austrian|Belgian|Brazilian|British|Canadian|Chinese|Cuban|Danish|"
        "Dutch|Egyptian|English|Ethiopian|Finnish|French|German|Greek|Hungarian|Indian|Indonesian|Iranian|Irish|"
        "Israeli|Italian|Japanese|Kenyan|Korean|Mexican|Nigerian|Norwegian|Pakistani|Polish|Portuguese|Russian|"
        "Scottish|Spanish|Swedish|Swiss|Thai|Turkish|Ukrainian|Vietnamese|Welsh"
    ),
    "peoples": (
        "Africans|Americans|Asians|Australians|Brits|Canadians|Europeans|Germans|Greeks|Indians|Italians|Romans|Russians"
    ),
    "continent": "Africa|Antarctica|Asia|Australia|Europe|North America|South America",
    "state": (
        "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|"
        "Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|"
        "Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|"
        "Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|"
        "Virginia|Washington|"
        "West Virginia|Wisconsin|Wyoming"
    ),
    "city": (
        "Amsterdam|Athens|Atlanta|Baltimore|Bangkok|Barcelona|Beijing|Berlin|Boston|Brussels|Cairo|Chicago|Cleveland|"
        "Copenhagen|Dallas|Delhi|Denver|Detroit|Dublin|Edinburgh|Geneva|Houston|Istanbul|Jerusalem|Kyoto|Las Vegas|"
        "Lisbon|Liverpool|London|Los Angeles|Luxor|Madrid|Manchester|Melbourne|Memphis|Mexico City|Miami|Milan|"
        "Minneapolis|"
        "Montreal|Moscow|Mumbai|Munich|Nairobi|Nashville|New Delhi|New Orleans|Orlando|Oslo|Paris|Philadelphia|"
        "Phoenix|Prague|Rome|San Diego|San Francisco|Seattle|Seoul|Shanghai|Stockholm|Sydney|Tokyo|Toronto|Venice|"
        "Vienna|Warsaw|Wuhan|Zurich"
    ),
    "virus": (
        "COVID-19|COVID19|COVID|Covid-19|Covid19|Covid|SARS-CoV-2|SARS-CoV2|SARS-COV-2|SARS-CoV|2019-nCoV|Coronavirus|"
        "MERS|MERS-CoV|HIV|Ebola|Zika|H1N1|HPV|RSV|Influenza"
    ),
    "agency": "FDA|CDC|WHO|EPA|NIH|NASA|FBI|CIA|UN|WTO|IMF|NATO|UNESCO|UNICEF|OECD|OSHA|SEC|IRS|EEOC|AU",
    "league": "NBA|NFL|MLB|NHL|FIFA|UEFA|NCAA|IPL|NASCAR|MLS",
    "religion": "Christian|Muslim|Jewish|Hindu|Buddhist|Catholic|Protestant|Orthodox",
    "faith": "Christianity|Islam|Judaism|Hinduism|Buddhism|Catholicism",
}
_KIND = {name: kind for kind, listed in _LISTS.items() for name in listed.split("|")}
# The same thing under several names: none of them is wrong for another.
_SAME = (
    "COVID-19|COVID19|COVID|Covid-19|Covid19|Covid|SARS-CoV-2|SARS-CoV2|SARS-COV-2|SARS-CoV|2019-nCoV|Coronavirus",
    "MERS|MERS-CoV",
    "US|USA|U.S.|United States|American|Americans",
    "UK|U.K.|United Kingdom|Britain|England|British|English|Brits",
    "Africa|African|Africans",
    "EU|European Union",
    "Ireland|Republic of Ireland",
    "Delhi|New Delhi",
)
_GROUP = {name: group for group in _SAME for name in group.split("|")}
_FIRST_NAMES = frozenset(
    "Adam Al Alan Albert Alex Alexander Alice Amy Andrew Andy Angela Ann Anna Anne Anthony Antonio Arthur Barbara "
    "Barry Ben Benjamin Bill Billy Bob Bobby Brad Brandon Brian Bruce Carl Carlos Carol Catherine Charles Charlie "
    "Chris "
    "Christian Christina Christopher Claire Craig Daniel Dante Dave David Dean Deborah Dennis Diana Don Donald Doug "
    "Douglas Ed Eddie Edward Elizabeth Ellen Elvis Emily Emma Eric Ernest Eva Filippo Francis Frank Franz Fred "
    "Frederick Gary Gene George Gerald Giovanni Glenn Grace Graham Greg Gwen Hannah Harold Harry Heather Heinrich "
    "Helen "
    "Henri Henry Howard Hugh Ian Isaac Ivan Jack Jackie Jacob James Jamie Jane Janet Jason Jay Jean Jeff Jeffrey "
    "Jennifer "
    "Jeremy Jerry Jessica Jim Jimmy Joan Joe Joel Johann John Johnny Jon Jonathan Jose Joseph Josh Joy Juan Judy Julia "
    "Julian Julie Justin Karen Karl Kate Katherine Keith Kelly Ken Kenneth Kevin Kim Kurt Larry Laura Lauren Lee "
    "Leonard Leonardo Lewis Linda Lisa Louis Lucas Lucy Luke Luther Marcus Margaret Maria Marie Mark Martha Martin "
    "Mary "
    "Matt Matthew Max Maya Melissa Michael Michelle Mike Milton Nancy Nathan Neil Nick Nicolas Nicole Norman Oliver "
    "Oscar Owen Pablo Patricia Patrick Paul Paula Peggy Peter Phil Philip Phillip Rachel Ralph Ray Raymond Rebecca "
    "Richard Rick Rob Robert Robin Roger Ron Ronald Rose Roy Russell Ruth Ryan Sally Sam Samuel Sandra Sara Sarah "
    "Scott "
    "Sean Sharon Sigmund Simon Sophie Stan Stephen Steve Steven Stuart Susan Ted Terry Thomas Tim Timothy Toby Todd "
    "Tom "
    "Tommy Tony Tracy Victor Victoria Vincent Virginia Walt Walter Wayne William Willie Wolfgang Zach".split()
)
_ORGANISATION = re.compile(
    r"\b(?:University|Institute|Association|Company|Corporation|Committee|Council|League|Federation|Foundation|Society|"
    r"Agency|Department|Ministry|Organi[sz]ation|Academy|College|School|Museum|Bank|Group|Union|Commission|Bureau|"
    r"Hospital|Center|Centre|Records|Studios|Inc|Corp|Ltd|Party|Administration)\b"
)
_WORK = re.compile(r"\b(?:Act|Law|Treaty|Bill|Convention|Amendment|Constitution|Code|Agreement|Protocol)\b")
_WATER = re.compile(r"\b(?:River|Lake|Sea|Ocean|Bay|Gulf|Mount|Mountains|Island|Islands|Desert|Valley)\b")


def kind_of(name: str) -> str | None:
    """The kind of a name: person, country, city, organisation and so on; None where it is not known."""
    if name in _KIND:
        return _KIND[name]
    words = name.split()
    if 2 <= len(words) <= 3 and words[0] in _FIRST_NAMES and words[-1] not in _KIND:
        return "person"
    for kind, pattern in (("organisation", _ORGANISATION), ("law", _WORK), ("feature", _WATER)):
        if len(words) > 1 and pattern.search(name):
            return kind
    return None


def listed(kind: str) -> tuple[str, ...]:
    """The names of a kind that are known without any file."""
    return tuple(name for name in _LISTS.get(kind, "").split("|") if name)


def same_thing(name: str, other: str) -> bool:
    """Whether two names mean the same, so that one is not wrong for the other."""
    return name == other or (name in _GROUP and _GROUP[name] == _GROUP.get(other))


def synonyms(name: str) -> tuple[str, ...]:
    """All names of the same thing, `name` included."""
    return tuple(_GROUP.get(name, name).split("|"))
