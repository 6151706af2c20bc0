//! What can be found: the categories, their names in SQL, and sets of them.

/// When a category is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Unless other categories are named.
    One,
    /// Where it is named, or the set `tier2`.
    Two,
    /// Where it is named: identifiers of one country.
    Locale,
    /// Where it is named: what only a model finds.
    Model,
}

macro_rules! categories {
    ($($tier:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ })+) => {
        /// A kind of personal data or secret.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub(crate) enum Category {
            $($($(#[$doc])* $variant,)+)+
        }

        impl Category {
            /// Every category, tier by tier, in the order of the documentation.
            pub(crate) const ALL: &[Self] = &[$($(Self::$variant,)+)+];

            /// The name in SQL.
            pub(crate) const fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)+)+ }
            }

            /// When it is looked for.
            pub(crate) const fn tier(self) -> Tier {
                match self { $($(Self::$variant => Tier::$tier,)+)+ }
            }
        }
    };
}

categories! {
    One {
        /// Payment card number.
        CreditCard = "credit_card",
        /// Magnetic stripe data of a payment card.
        CardTrack = "card_track",
        /// Verification code or PIN of a payment card.
        Cvv = "cvv",
        /// Social security number of the United States.
        UsSsn = "us_ssn",
        /// Individual taxpayer identification number of the United States.
        UsItin = "us_itin",
        /// E-mail address.
        Email = "email",
        /// Telephone number.
        Phone = "phone",
        /// Password or other secret under a name that says so.
        Password = "password",
        /// Credentials of an authorisation header.
        AuthHeader = "auth_header",
        /// JSON web token.
        Jwt = "jwt",
        /// Private key in PEM form.
        PrivateKey = "private_key",
        /// Token of a cloud or API provider, known by its own form.
        CloudToken = "cloud_token",
        /// International bank account number.
        Iban = "iban",
        /// Address of a crypto-currency.
        Crypto = "crypto",
    }
    Two {
        /// IPv4 or IPv6 address.
        IpAddress = "ip_address",
        /// Hardware address of a network interface.
        MacAddress = "mac_address",
        /// Identity of a mobile device.
        Imei = "imei",
        /// Identity of a mobile subscriber.
        Imsi = "imsi",
        /// Number of a SIM card.
        Iccid = "iccid",
        /// Telephone number of a mobile subscriber.
        Msisdn = "msisdn",
        /// Bank account number of the United States.
        UsBankAccount = "us_bank_account",
        /// Routing number of a bank of the United States.
        AbaRouting = "aba_routing",
        /// Business identifier code of a bank.
        SwiftCode = "swift_code",
        /// Passport number of the United States.
        UsPassport = "us_passport",
        /// Driving licence number of a state of the United States.
        UsDriverLicense = "us_driver_license",
        /// National provider identifier of the United States.
        UsNpi = "us_npi",
        /// Registration number of the Drug Enforcement Administration.
        UsDea = "us_dea",
        /// Medicare beneficiary identifier.
        UsMbi = "us_mbi",
        /// Vehicle identification number.
        Vin = "vin",
        /// Date of birth.
        DateOfBirth = "date_of_birth",
        /// Geographic coordinates.
        Coordinates = "coordinates",
        /// Name of an account.
        Username = "username",
        /// Name of a person.
        Person = "person",
        /// Postal address.
        Address = "address",
    }
    Locale {
        /// Australian business number.
        AuAbn = "au_abn",
        /// Australian company number.
        AuAcn = "au_acn",
        /// Australian Medicare number.
        AuMedicare = "au_medicare",
        /// Australian tax file number.
        AuTfn = "au_tfn",
        /// Austrian social insurance number.
        AtSvnr = "at_svnr",
        /// Belgian national register number.
        BeNrn = "be_nrn",
        /// Bulgarian uniform civil number.
        BgEgn = "bg_egn",
        /// Brazilian company number.
        BrCnpj = "br_cnpj",
        /// Brazilian taxpayer number.
        BrCpf = "br_cpf",
        /// Canadian social insurance number.
        CaSin = "ca_sin",
        /// Chilean national number.
        ClRut = "cl_rut",
        /// Chinese resident identity number.
        CnRic = "cn_ric",
        /// Czech birth number.
        CzRodneCislo = "cz_rodne_cislo",
        /// German identity card number.
        DeIdCard = "de_id_card",
        /// German pension insurance number.
        DeSocialSecurity = "de_social_security",
        /// German tax identification number.
        DeTaxId = "de_tax_id",
        /// Danish personal number.
        DkCpr = "dk_cpr",
        /// Spanish number of a foreigner.
        EsNie = "es_nie",
        /// Spanish tax number.
        EsNif = "es_nif",
        /// Finnish personal identity code.
        FiHetu = "fi_hetu",
        /// French social security number.
        FrNir = "fr_nir",
        /// Greek social security number.
        GrAmka = "gr_amka",
        /// Croatian personal number.
        HrOib = "hr_oib",
        /// Irish personal public service number.
        IePps = "ie_pps",
        /// Indian resident number.
        InAadhaar = "in_aadhaar",
        /// Indian goods and services tax number.
        InGstin = "in_gstin",
        /// Indian permanent account number.
        InPan = "in_pan",
        /// Italian fiscal code.
        ItFiscalCode = "it_fiscal_code",
        /// Italian value added tax number.
        ItVatCode = "it_vat_code",
        /// Japanese individual number.
        JpMyNumber = "jp_my_number",
        /// Korean resident registration number.
        KrRrn = "kr_rrn",
        /// Mexican population registry code.
        MxCurp = "mx_curp",
        /// Mexican taxpayer code.
        MxRfc = "mx_rfc",
        /// Nigerian identity number.
        NgNin = "ng_nin",
        /// Dutch citizen service number.
        NlBsn = "nl_bsn",
        /// Norwegian birth number.
        NoFnr = "no_fnr",
        /// Polish tax number.
        PlNip = "pl_nip",
        /// Polish personal number.
        PlPesel = "pl_pesel",
        /// Portuguese tax number.
        PtNif = "pt_nif",
        /// Romanian personal code.
        RoCnp = "ro_cnp",
        /// Swedish personal number.
        SePersonnummer = "se_personnummer",
        /// Singaporean identity number.
        SgNric = "sg_nric",
        /// Thai identity number.
        ThTnin = "th_tnin",
        /// Turkish identity number.
        TrTckn = "tr_tckn",
        /// British driving licence number.
        UkDrivingLicence = "uk_driving_licence",
        /// British health service number.
        UkNhs = "uk_nhs",
        /// British national insurance number.
        UkNino = "uk_nino",
        /// British passport number.
        UkPassport = "uk_passport",
        /// South African identity number.
        ZaId = "za_id",
    }
    Model {
        /// Name of an organisation.
        Organization = "organization",
    }
}

/// A set of categories. It also knows which of those in [`Categories::NER`] were asked for by their
/// names: only for them a model is run, whatever larger set they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Categories(u128);

impl Categories {
    /// No category.
    pub(crate) const NONE: Self = Self(0);
    /// What is looked for where no category is named.
    pub(crate) const TIER1: Self = Self::of(Tier::One);
    /// What `tier2` stands for.
    pub(crate) const TIER2: Self = Self::of(Tier::Two);
    /// Identifiers of one country.
    pub(crate) const LOCALE: Self = Self::of(Tier::Locale);
    /// Every category.
    pub(crate) const ALL: Self = Self::TIER1
        .and(Self::TIER2)
        .and(Self::LOCALE)
        .and(Self::of(Tier::Model));
    /// What a model finds, asked for by name.
    pub(crate) const NER: Self = Self::NONE
        .asked(Category::Person)
        .asked(Category::Address)
        .asked(Category::Organization);
    /// The sets that have a name in SQL.
    pub(crate) const SETS: [(&str, Self); 4] = [
        ("tier1", Self::TIER1),
        ("tier2", Self::TIER2),
        ("ner", Self::NER),
        ("all", Self::ALL),
    ];

    const fn of(tier: Tier) -> Self {
        let mut set = Self::NONE;
        let mut at = 0;
        while at < Category::ALL.len() {
            if Category::ALL[at].tier() as u8 == tier as u8 {
                set = set.with(Category::ALL[at]);
            }
            at += 1;
        }
        set
    }

    /// The categories or the set called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let set = Self::SETS.into_iter().find(|(set, _)| *set == name);
        let category = || Category::ALL.iter().find(|one| one.name() == name);
        set.map(|(_, set)| set)
            .or_else(|| category().map(|one| Self::NONE.asked(*one)))
    }

    /// The names that [`Categories::named`] knows, for messages.
    pub(crate) fn valid_names() -> String {
        let names = Category::ALL.iter().map(|one| one.name());
        let sets = Self::SETS.iter().map(|(name, _)| *name);
        names.chain(sets).collect::<Vec<_>>().join(", ")
    }

    /// This set and `category`.
    pub(crate) const fn with(self, category: Category) -> Self {
        Self(self.0 | 1 << category as u8)
    }

    /// This set and `category`, asked for by its name.
    pub(crate) const fn asked(self, category: Category) -> Self {
        Self(self.0 | 1 << category as u8 | Self::asked_bit(category))
    }

    /// The bit above those of categories that says that this one was asked for.
    const fn asked_bit(category: Category) -> u128 {
        match category {
            Category::Person => 1 << 127,
            Category::Address => 1 << 126,
            Category::Organization => 1 << 125,
            _ => 0,
        }
    }

    /// The categories for which a model is run.
    pub(crate) fn by_model(self) -> Self {
        let asked = self
            .iter()
            .filter(|one| self.0 & Self::asked_bit(*one) != 0);
        asked.fold(Self::NONE, Self::with)
    }

    /// Whether something was asked for that nothing but a model finds.
    pub(crate) fn needs_model(self) -> bool {
        self.by_model().meets(Self::of(Tier::Model))
    }

    /// This set and `other`.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the categories of `other`.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether `category` is in the set.
    pub(crate) const fn has(self, category: Category) -> bool {
        self.0 & 1 << category as u8 != 0
    }

    /// Whether the sets have a category in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The categories of the set, in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL
            .iter()
            .copied()
            .filter(move |one| self.has(*one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_one_category_or_a_set() {
        for category in Category::ALL {
            let set = Categories::named(category.name()).unwrap();
            assert_eq!(set.iter().collect::<Vec<_>>(), [*category]);
        }
        assert_eq!(Categories::named("tier1"), Some(Categories::TIER1));
        assert_eq!(Categories::TIER1.iter().count(), 14);
        assert_eq!(Categories::named("emial"), None);
        assert!(!Categories::TIER1.meets(Categories::TIER2.and(Categories::LOCALE)));
        assert!(Category::ALL.len() <= 125);
    }

    #[test]
    fn a_model_is_run_for_what_is_asked_for_by_name() {
        let named = |name| Categories::named(name).unwrap();
        for set in ["tier1", "tier2", "all", "email"] {
            assert_eq!(named(set).by_model(), Categories::NONE, "{set}");
            assert!(!named(set).needs_model(), "{set}");
        }
        let person = named("tier2").and(named("person")).by_model();
        assert_eq!(person.iter().collect::<Vec<_>>(), [Category::Person]);
        assert!(!named("person").needs_model() && !named("address").needs_model());
        assert!(named("organization").needs_model() && named("ner").needs_model());
        assert_eq!(named("ner").by_model().iter().count(), 3);
    }
}
