// @ts-check
// What was chosen, kept in the tab: a reload must not lose it.
/** @import { Difficulty } from './usage.js' */

const KEY = 'talktime.practice';

/** @returns {{ topic?: string, difficulty?: Difficulty }} */
export function rememberedChoice() {
  try {
    const { topic, difficulty } = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') ?? {};
    return {
      ...(typeof topic === 'string' ? { topic } : {}),
      ...(['beginner', 'intermediate', 'advanced'].includes(difficulty) ? { difficulty } : {}),
    };
  } catch {
    return {};
  }
}

/** @param {{ topic?: string, difficulty?: Difficulty }} choice */
export function rememberChoice(choice) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // A forbidden storage costs nothing else.
  }
}
