import { expect, test } from 'vitest'
import { splitWords } from '../src/config/split-words.ts'

test.each<[string, string[]]>([
  ['node server.js', ['node', 'server.js']],
  ['  a \t b  ', ['a', 'b']],
  ['', []],
  [`'' ""`, ['', '']],
  [`'a b' "c d"`, ['a b', 'c d']],
  [`a'b c'"d e"f`, ['ab cd ef']],
  [`a\\ b \\" \\'`, ['a b', '"', "'"]],
  [`'a\\b "c"'`, ['a\\b "c"']],
  [`"a \\"b\\" \\\\ \\$ \\n"`, ['a "b" \\ $ \\n']],
  [`"; & | > <" ';'`, ['; & | > <', ';']],
  ['$HOME *.js ~ #a {b}', ['$HOME', '*.js', '~', '#a', '{b}']],
  [`sh -c "a && b"`, ['sh', '-c', 'a && b']],
  [`"a\nb"`, ['a\nb']],
])('%j', (text, words) => {
  expect(splitWords(text)).toEqual(words)
})

test.each<[string, RegExp]>([
  ['a; b', /no shell .* ; is for one/],
  ['a && b', /& is for one/],
  ['a | b', /\| is for one/],
  ['a > log', /> is for one/],
  ['a `b`', /` is for one/],
  ['a $(b)', /\( is for one/],
  ['a\nb', /a line break is for one/],
  [`a 'b`, /quote ' .* does not end/],
  [`a "b`, /quote " .* does not end/],
  [`a "b\\"`, /quote " .* does not end/],
  ['a \\', /backslash at the end/],
])('%j is an error', (text, message) => {
  expect(() => splitWords(text)).toThrow(message)
})
