"""Which account the customer is: by DUNS number, then by the domain of its people's mail, then by name and postal code.

A number proves it. A domain or a name with a postal code is a hint, and one hit of the better hint is taken. Two hits of the same worth are a person's
choice, because a wrong account costs more than a question. None: a new account, under an identity such that two deals of one new customer make one account.
The searches of the stock mapping are replaced and not added to.
"""

import kit
from kit import types

TABLE = "account"
DUNS = "new_duns"

# The searches, the best first: label, points, and what a person reads.
KEYS = (
    ("by-duns", 100, "same DUNS number"),
    ("by-domain", 80, "same mail domain"),
    ("by-name", 70, "same name and postal code"),
)

# Domains that say nothing about an employer.
PUBLIC = ("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com")


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest(
            "account-match-python", "1.0.0", "Finds the customer by DUNS number, then domain, then name and postal code.", []
        )

    def describe(self, settings):
        return [
            kit.asks(TABLE, "name", "address1_postalcode", "websiteurl", DUNS),
            kit.writes(TABLE, DUNS),
        ]


def duns_of(deal):
    numbers = (one.id.strip() for one in deal.company.ids if one.scheme.lower() == "duns")
    return next(filter(None, numbers), None)


def domain_of(deal):
    mails = (person.email for person in deal.contacts if person.email and "@" in person.email)
    domains = (mail.rpartition("@")[2].strip().lower() for mail in mails)
    return next((domain for domain in domains if "." in domain and domain not in PUBLIC), None)


def postcode_of(deal):
    return (deal.company.address.postal_code or "").strip() or None


def search(label, strength, *conditions):
    return types.Search(types.Query(label, TABLE, ["name"], list(conditions), 10), strength)


def equals(column, text):
    return types.Condition(column, types.Test_Equals(types.Value_Text(text)))


class Account(kit.AccountBase):
    def searches(self, ctx, deal, draft):
        searches = []
        if number := duns_of(deal):
            searches.append(search("by-duns", types.Strength.IDENTIFIES, equals(DUNS, number)))
        if domain := domain_of(deal):
            holds = types.Condition("websiteurl", types.Test_Contains(domain))
            searches.append(search("by-domain", types.Strength.SUGGESTS, holds))
        name, postcode = deal.company.name.strip(), postcode_of(deal)
        if name and postcode:
            both = equals("name", name), equals("address1_postalcode", postcode)
            searches.append(search("by-name", types.Strength.SUGGESTS, *both))
        return searches

    def choose(self, ctx, deal, candidates, draft):
        for label, score, because in KEYS:
            alike = [types.Likeness(hit.row.id, score, [because]) for hit in candidates if label in hit.found_by]
            if len(alike) == 1:
                return types.Resolution_UseExisting(alike[0])
            if alike:
                return types.Resolution_Review(alike)
        number = duns_of(deal)
        named = f"{deal.company.name.strip().lower()}|{postcode_of(deal) or ''}"
        return types.Resolution_CreateNew(f"duns:{number}" if number else named)

    def to_row(self, ctx, deal, existing, draft):
        # So that the next deal of this customer is proved by its number.
        number = duns_of(deal)
        return [kit.put(DUNS, number)] if number else []


def row_id(number):
    return f"0a0a0a0a-0000-4000-8000-00000000000{number}"


class Examples(kit.ExamplesBase):
    def cases(self):
        def hit(number, *labels):
            return types.Given_Candidate(types.Candidate(kit.row(TABLE, id=row_id(number)), list(labels)))

        def like(number):
            return types.Likeness(row_id(number), 0, [])

        def chosen(title, givens, resolution):
            return types.Example(title, "account.choose", givens, [types.Expected_Resolution(resolution)])

        return [
            types.Example(
                "it is looked for in three ways",
                "account.searches",
                [],
                [types.Expected_Asks(label) for label, _, _ in KEYS],
            ),
            chosen(
                "the number beats the domain",
                [hit(1, "by-domain"), hit(2, "by-duns", "identifies")],
                types.Resolution_UseExisting(like(2)),
            ),
            chosen(
                "two of the same worth are a person's choice",
                [hit(1, "by-name"), hit(2, "by-name")],
                types.Resolution_Review([like(1), like(2)]),
            ),
            chosen("nobody is found: a new one, known by its number", [], types.Resolution_CreateNew("duns:123456789")),
        ]
