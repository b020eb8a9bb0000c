/**
 * From English to the caller's language, on the way out. The English sentence is the key, as with gettext: whoever refuses
 * something writes one sentence where it happens, workflows and stored answers carry that, and only what is told to a
 * caller is put into a language. A sentence that the catalogue does not have is replaced by the general one of its code,
 * so that an answer never mixes languages; test/api/messages.test.ts finds such sentences in the sources. Pure.
 */
import { ERROR_SENTENCES } from './error-sentences';
import { GENERAL_ISSUE, ISSUE_SENTENCES } from './issue-sentences';
import { REFUSAL_SENTENCES, SUCCESS_SENTENCES } from './other-sentences';
import type { Language, Sentence } from './sentence';

export const CATALOGUE: readonly Sentence[] = [
  ...Object.values(ERROR_SENTENCES),
  ...REFUSAL_SENTENCES,
  ...SUCCESS_SENTENCES,
  ...ISSUE_SENTENCES,
];

interface Template {
  readonly pattern: RegExp;
  readonly sentence: Sentence;
}

const HAS_PLACE = /\{\w+\}/;
const FIXED: ReadonlyMap<string, Sentence> = new Map(
  CATALOGUE.filter(({ en }) => !HAS_PLACE.test(en)).map((sentence) => [sentence.en, sentence]),
);
const TEMPLATES: readonly Template[] = CATALOGUE.filter(({ en }) => HAS_PLACE.test(en)).map((sentence) => ({
  pattern: patternOf(sentence.en),
  sentence,
}));

function patternOf(en: string): RegExp {
  const escaped = en.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\{(\w+)\}/g, '(?<$1>.{1,500}?)')}$`, 's');
}

/** What was put into a sentence and is a sentence itself must be known too. Amounts, codes and names stay as they are. */
const PROSE = /[a-z]{2,} [a-z]+/;

/** @returns undefined when the catalogue does not have this sentence */
export function translated(text: string, language: Language): string | undefined {
  if (language === 'en') return text;
  const fixed = FIXED.get(text);
  if (fixed !== undefined) return fixed[language];
  for (const { pattern, sentence } of TEMPLATES) {
    const values = pattern.exec(text)?.groups;
    const filled = values === undefined ? undefined : filledIn(sentence[language], values, language);
    if (filled !== undefined) return filled;
  }
  return undefined;
}

function filledIn(
  template: string,
  values: Readonly<Record<string, string>>,
  language: Language,
): string | undefined {
  const told = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    const known = translated(value, language) ?? (PROSE.test(value) ? undefined : value);
    if (known === undefined) return undefined;
    told.set(name, known);
  }
  return template.replace(/\{(\w+)\}/g, (_, name: string) => told.get(name) ?? '');
}

/** Whatever stands in the envelope; only its sentences are looked at. */
export interface Told {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

/**
 * The same answer in another language: `message`, and of a refusal `details.reason` and the messages of `details.issues`.
 * Codes, names and numbers are the same in every language.
 */
export function localized<T extends Told>(answer: T, language: Language): T {
  if (language === 'en') return answer;
  const message = translated(answer.message, language) ?? generalSentence(answer.code)[language];
  return answer.details === undefined
    ? { ...answer, message }
    : { ...answer, message, details: localizedDetails(answer.details, language) };
}

function generalSentence(code: string): Sentence {
  if (code in ERROR_SENTENCES) return ERROR_SENTENCES[code as keyof typeof ERROR_SENTENCES];
  return SUCCESS_SENTENCES[0] ?? GENERAL_ISSUE;
}

function localizedDetails(details: unknown, language: Language): unknown {
  if (typeof details !== 'object' || details === null) return details;
  const { reason, issues } = details as { reason?: unknown; issues?: unknown };
  return {
    ...details,
    ...(typeof reason === 'string' && { reason: translated(reason, language) ?? reason }),
    ...(Array.isArray(issues) && { issues: issues.map((issue) => localizedIssue(issue, language)) }),
  };
}

function localizedIssue(issue: unknown, language: Language): unknown {
  const { message } = (issue ?? {}) as { message?: unknown };
  if (typeof issue !== 'object' || typeof message !== 'string') return issue;
  return { ...issue, message: translated(message, language) ?? GENERAL_ISSUE[language] };
}
