/** What is told to people, in the languages that the API speaks. */

export type Language = 'en' | 'zh';

/** One meaning in both languages. `{name}` stands for what is put in: the same names in both. */
export type Sentence = Readonly<Record<Language, string>>;
