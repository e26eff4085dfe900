import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leastCpuMs } from '@causeway/testkit/cpu-time.ts'
import { hostileDoc } from '../../formatting/doc-arbitraries-suite.ts'
import { graphemes } from '../../formatting/emoji.ts'
import { fromMatrixHtml } from '../../formatting/from-matrix-html.ts'
import { normalizeDoc } from '../../formatting/normalize.ts'
import { flattenInlines, nestRuns, pushRun, type Run, type Style } from '../../formatting/runs.ts'
import { toMatrixHtml } from '../../formatting/to-matrix-html.ts'
import { docFromText, type Doc } from '../../formatting/tree.ts'
import { parseCodes } from './codes.ts'
import { fromIrc, parseIrcMessage, type Person } from './from-irc.ts'
import { renderForIrc, unpingable, type IrcRenderOptions } from './to-irc.ts'
import { byteLength, splitLines, textBudget } from './split-lines.ts'

const html = (text: string, personOf?: (nick: string) => Person | undefined): string =>
  toMatrixHtml(fromIrc(text, personOf === undefined ? {} : { personOf }))

const people = new Map([
  ['alice', { userId: '@alice:example.org', label: 'Alice' }],
  ['bo', { userId: '@bo:example.org', label: 'Bo' }],
  ['[carol]', { userId: '@carol:example.org', label: 'Carol' }],
])
const personOf = (nick: string): Person | undefined => people.get(nick.toLowerCase())

function render(doc: Doc, options: Partial<IrcRenderOptions> = {}): readonly string[] {
  const rendering = renderForIrc(doc, { budgetBytes: 400, maxLines: 1000, ...options })
  assert.equal(rendering.kind, 'lines')
  return rendering.kind === 'lines' ? rendering.lines : []
}

const rendered = (source: string, options: Partial<IrcRenderOptions> = {}): readonly string[] =>
  render(fromMatrixHtml(source), options)

test('formatting codes become styles, whatever their order of closing', () => {
  assert.equal(html('a \x02b \x1dc\x02 d\x0f e'), 'a <strong>b <em>c</em></strong><em> d</em> e')
  assert.equal(
    html('\x1funder\x1f \x1estrike\x1e \x11mono\x11'),
    '<u>under</u> <del>strike</del> <code>mono</code>',
  )
})

test('color codes take at most two digits each, and a comma only before a digit', () => {
  assert.equal(html('\x034red'), '<span data-mx-color="#ff0000">red</span>')
  assert.equal(html('\x0304123'), '<span data-mx-color="#ff0000">123</span>')
  assert.equal(
    html('\x034,1on black'),
    '<span data-mx-color="#ff0000" data-mx-bg-color="#000000">on black</span>',
  )
  assert.equal(html('\x034, x'), '<span data-mx-color="#ff0000">, x</span>')
  assert.equal(
    html('\x034,1a\x033b'),
    '<span data-mx-color="#ff0000" data-mx-bg-color="#000000">a</span><span data-mx-color="#009300" data-mx-bg-color="#000000">b</span>',
  )
  assert.equal(html('\x034,1a\x03b'), '<span data-mx-color="#ff0000" data-mx-bg-color="#000000">a</span>b')
  assert.equal(html('\x0352exact\x0399default'), '<span data-mx-color="#ff0000">exact</span>default')
  assert.equal(html('\x04ff8800hex\x04off'), '<span data-mx-color="#ff8800">hex</span>off')
  assert.equal(html('\x03,5x'), ',5x')
})

test('reverse swaps colors, and text in one color on itself is a spoiler', () => {
  assert.equal(html('\x034,1\x16a'), '<span data-mx-color="#000000" data-mx-bg-color="#ff0000">a</span>')
  assert.equal(html('he \x031,1dies\x03!'), 'he <span data-mx-spoiler>dies</span>!')
})

test('nicks become mentions at the start and inside, other words stay words', () => {
  const link = (id: string, label: string) => `<a href="https://matrix.to/#/@${id}:example.org">${label}</a>`
  assert.equal(html('ALICE: hi', personOf), `${link('alice', 'Alice')}: hi`)
  assert.equal(
    html('bo, look, bo and @bo', personOf),
    `${link('bo', 'Bo')}, look, bo and ${link('bo', 'Bo')}`,
  )
  assert.equal(
    html('ask [alice] or [carol].', personOf),
    `ask [${link('alice', 'Alice')}] or ${link('carol', 'Carol')}.`,
  )
  assert.equal(html('malice alices https://x.example/alice', personOf).includes('matrix.to'), false)
})

test('CTCP ACTION is an action, other requests are told apart and quotes become quotes', () => {
  assert.deepEqual(parseIrcMessage('\x01ACTION waves\x01'), { kind: 'action', doc: docFromText('waves') })
  assert.deepEqual(parseIrcMessage('\x01ACTION waves'), { kind: 'action', doc: docFromText('waves') })
  assert.deepEqual(parseIrcMessage('\x01version\x01'), { kind: 'ctcp', command: 'VERSION', params: '' })
  assert.equal(html('> you said\nyes'), '<blockquote>you said</blockquote>yes')
})

test('Matrix formatting becomes codes, and only what is needed', () => {
  assert.deepEqual(rendered('a <b>b <i>c</i></b> d'), ['a \x02b \x1dc\x0f d'])
  assert.deepEqual(rendered('<code>x</code>'), ['\x11x'])
  assert.deepEqual(rendered('<code>x</code>', { monospace: 'backticks' }), ['`x`'])
  assert.deepEqual(rendered('<span data-mx-color="#ff0000">1</span>2'), ['\x03041\x0f2'])
  assert.deepEqual(rendered('<span data-mx-color="#ff0000">,5</span>'), ['\x0304\x02\x02,5'])
  assert.deepEqual(rendered('<span data-mx-color="#ff8800">x</span>', { colors: 'hex' }), ['\x04ff8800x'])
  assert.deepEqual(rendered('<span data-mx-color="#ff0000">x</span>', { colors: 'none' }), ['x'])
})

test('links are shown with their target, and alone where the text says no more', () => {
  assert.deepEqual(rendered('<a href="https://osm.example/">map</a>.'), ['map (https://osm.example/).'])
  assert.deepEqual(rendered('<a href="https://osm.example/">osm.example</a>'), ['https://osm.example/'])
  assert.deepEqual(rendered('a<a href="https://x.example/">https://x.example/</a>b'), [
    'a https://x.example/ b',
  ])
})

test('a person at the start is addressed as IRC does, with the nick the lookup gives', () => {
  const nickOf = (userId: string) => (userId === '@alice:example.org' ? 'al' : undefined)
  const pill = '<a href="https://matrix.to/#/@alice:example.org">Alice</a>'
  assert.deepEqual(rendered(`${pill}: hi`, { nickOf }), ['al: hi'])
  assert.deepEqual(rendered(`${pill} hi`, { nickOf }), ['al: hi'])
  assert.deepEqual(rendered(`${pill}’s map and ${pill}`, { nickOf }), ['al’s map and al'])
  assert.deepEqual(rendered(`hi ${pill}`), ['hi Alice'])
})

test('blocks become lines: quotes, lists, code, tables, headings', () => {
  assert.deepEqual(
    rendered('<h1>T</h1><blockquote>q<br>r</blockquote><ol><li>a</li><li>b<ul><li>c</li></ul></li></ol>'),
    ['\x02T', '> q', '> r', '1. a', '2. b', '  • c'],
  )
  assert.deepEqual(rendered('<pre><code>if x:\n\n  y</code></pre>'), ['\x11if x:', '\x11  y'])
  assert.deepEqual(rendered('<table><tr><th>h</th></tr><tr><td>a</td><td>b</td></tr></table>'), [
    '\x02h',
    'a | b',
  ])
})

test('a spoiler is black on black behind a label', () => {
  assert.deepEqual(rendered('he <span data-mx-spoiler="end">dies</span>!'), [
    'he [spoiler: end] \x0301,01dies\x0f!',
  ])
})

test('a relayed author stands before every line in a form that rings nobody', () => {
  assert.equal(unpingable('alice'), 'a\u200blice')
  assert.deepEqual(rendered('a<br>b', { speaker: { name: 'alice', kind: 'text' } }), [
    '<a\u200blice> a',
    '<a\u200blice> b',
  ])
  assert.deepEqual(rendered('waves', { speaker: { name: 'alice', kind: 'action' } }), ['* a\u200blice waves'])
  const [line] = rendered('x', { speaker: { name: `${'👩‍👩‍👧'.repeat(50)}\r\nQUIT`, kind: 'text' } })
  assert.ok(byteLength(line as string) < 100)
  assert.doesNotMatch(line as string, /[\r\n]/)
})

test('the budget is what the server leaves of 512 bytes after the prefix others see', () => {
  const prefix = { nick: 'nick', user: 'user', host: 'host.example', target: '#chan' }
  const line = `:nick!user@host.example PRIVMSG #chan :${'x'.repeat(textBudget(prefix))}\r\n`
  assert.equal(line.length, 512)
  assert.equal(textBudget({ ...prefix, action: true }), textBudget(prefix) - 9)
})

test('lines break at spaces, open formatting again and keep links whole', () => {
  const url = `https://osm.example/${'a'.repeat(60)}`
  const segments = parseCodes(`\x02${'word '.repeat(14)}${url} end`)
  const lines = [...splitLines([{ first: '', rest: '', segments }], 100)]
  assert.deepEqual(lines, [`\x02${'word '.repeat(14).trim()}`, `\x02${url} end`])
})

test('a mention is not broken at the spaces in its name', () => {
  const pill = '<a href="https://matrix.to/#/@a:example.org">Ada King Countess of Lovelace</a>'
  for (let before = 200; before < 256; before += 5) {
    const lines = rendered(`${'x'.repeat(before)} ${pill} ${'y'.repeat(9)}`, { budgetBytes: 256 })
    assert.ok(lines.some((line) => line.includes('Ada King Countess of Lovelace')))
  }
})

test('a quote that goes on in another line is marked there too', () => {
  const lines = rendered(`<blockquote>${'word '.repeat(100)}</blockquote>`, { budgetBytes: 256 })
  assert.equal(lines.length, 2)
  for (const line of lines) assert.match(line, /^> word/)
})

test('a long word goes on where it is and is cut between graphemes', () => {
  const family = '👩‍👩‍👧‍👦'
  const lines = render(docFromText(`hi ${family.repeat(40)}`), { budgetBytes: 256 })
  assert.match(lines[0] as string, /^hi 👩/)
  assert.equal(lines.join('').replace('hi ', ''), family.repeat(40))
  for (const line of lines)
    for (const grapheme of graphemes(line.replace('hi ', ''))) assert.equal(grapheme, family)
})

test('a grapheme longer than a line is cut between code points', () => {
  const lines = render(docFromText(`e${'\u0301'.repeat(300)}`), { budgetBytes: 256 })
  assert.equal(lines.join(''), `e${'\u0301'.repeat(300)}`)
  for (const line of lines) assert.ok(byteLength(line) <= 256)
})

test('more lines than allowed become a paste with a preview of one line that leaves room for the link', () => {
  const rendering = renderForIrc(docFromText('some words\n'.repeat(6)), { budgetBytes: 256, maxLines: 5 })
  assert.deepEqual(rendering, {
    kind: 'paste',
    preview: 'some words…',
    fullText: Array(6).fill('some words').join('\n'),
  })
  const long = renderForIrc(fromMatrixHtml(`<b>${'word '.repeat(300)}</b>`), {
    budgetBytes: 256,
    maxLines: 3,
  })
  assert.ok(long.kind === 'paste' && byteLength(long.preview) <= 156)
  assert.ok(long.kind === 'paste' && long.preview.endsWith('\x0f…'))
})

test('lines of white space alone are not sent, however wide or unbreakable it is', () => {
  for (const space of [' ', '\u00a0', ' \u00a0 ', '\u3000', '\u00a0'.repeat(900)]) {
    assert.deepEqual(render(docFromText(space)), [])
    assert.deepEqual(render(docFromText(space), { speaker: { name: 'Ann', kind: 'text' } }), [])
  }
  assert.deepEqual(render(docFromText('a\n\u00a0\nb')), ['a', 'b'])
  const wide = render(docFromText(`a${'\u00a0'.repeat(400)}b`), { budgetBytes: 256 })
  for (const line of wide) assert.notEqual(line.trim(), '')
})

test('budgets no server has are refused', () => {
  assert.throws(() => renderForIrc(docFromText('x'), { budgetBytes: 100, maxLines: 1 }), RangeError)
  assert.throws(() => renderForIrc(docFromText('x'), { budgetBytes: NaN, maxLines: 1 }), RangeError)
  assert.throws(() => [...splitLines([{ first: '', rest: '', segments: [] }], 10)], RangeError)
})

test('text that looks like codes, CTCP or HTML stays text', () => {
  assert.deepEqual(render(docFromText('\x01ACTION <b>&amp;</b> \x02x\x0304y\x01')), [
    'ACTION <b>&amp;</b> x04y',
  ])
})

const FEATURE_TEXT = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
    fc.constantFrom('1', ',5', '99', ' a  b', '<b>', '\x0304x', ',', 'ff0000', '> not first'),
  )
  .map((text) => text.replace(/[\p{Cc}\u2028\u2029]/gu, ' '))
const COLORS = fc.constantFrom(
  ['#ff0000'],
  ['#0000fc', '#ffff00'],
  [undefined, '#000000'],
  [],
) as fc.Arbitrary<(string | undefined)[]>
const STYLE: fc.Arbitrary<Style> = fc
  .record({
    strong: fc.boolean(),
    emph: fc.boolean(),
    underline: fc.boolean(),
    strike: fc.boolean(),
    spoiler: fc.constantFrom(undefined, undefined, undefined, '', 'the end'),
    color: COLORS,
  })
  .map(({ spoiler, color: [fg, bg], ...flags }) => ({
    ...(flags.strong && { strong: true as const }),
    ...(flags.emph && { emph: true as const }),
    ...(flags.underline && { underline: true as const }),
    ...(flags.strike && { strike: true as const }),
    ...(spoiler !== undefined && { spoiler }),
    ...(spoiler === undefined && fg !== undefined && { fg }),
    ...(spoiler === undefined && bg !== undefined && { bg }),
  }))
const withoutSpoiler = ({ spoiler: _hidden, ...style }: Style): Style => style
const SPACE: Run = { style: {}, leaf: { type: 'text', text: ' ' } }
const PIECE: fc.Arbitrary<Run[]> = fc.oneof(
  fc
    .record({ style: STYLE, text: FEATURE_TEXT })
    .map(({ style, text }): Run[] => [{ style, leaf: { type: 'text', text } }]),
  fc
    .record({ style: STYLE, text: FEATURE_TEXT })
    .map(({ style, text }): Run[] => [{ style, leaf: { type: 'code', text: text.trim() || 'c' } }]),
  STYLE.map((style): Run[] => [
    SPACE,
    {
      style: { ...style, link: 'https://osm.example/a_(b)' },
      leaf: { type: 'text', text: 'https://osm.example/a_(b)' },
    },
    SPACE,
  ]),
  STYLE.map((style): Run[] => [
    SPACE,
    {
      style,
      leaf: { type: 'mention', target: { kind: 'person', userId: '@alice:example.org' }, label: 'Alice' },
    },
    SPACE,
  ]),
)
/** Lines of text that IRC can say, each beginning with a letter so that it is no quote and addresses nobody. */
const FEATURE_DOC: fc.Arbitrary<Doc> = fc
  .array(fc.array(PIECE, { maxLength: 6 }), { minLength: 1, maxLength: 3 })
  .map((lines) => {
    const runs: Run[] = []
    for (const [index, line] of lines.entries()) {
      if (index > 0) runs.push({ style: {}, leaf: { type: 'lineBreak' } })
      pushRun(runs, { style: {}, leaf: { type: 'text', text: 'z' } })
      for (const run of line.flat()) pushRun(runs, run)
    }
    return normalizeDoc({ blocks: [{ type: 'paragraph', children: nestRuns(runs) }] })
  })

const runsOf = (doc: Doc): Run[] =>
  doc.blocks.flatMap((block) => (block.type === 'paragraph' ? flattenInlines(block.children) : []))

test('parsing rendered IRC text gives the same styles, links, mentions and spoilers', () => {
  const nickOf = (userId: string) => (userId === '@alice:example.org' ? 'alice' : undefined)
  fc.assert(
    fc.property(
      FEATURE_DOC,
      fc.constantFrom('numbers' as const, 'extended' as const, 'hex' as const),
      (doc, colors) => {
        const lines = render(doc, { budgetBytes: 100_000, nickOf, colors })
        const parsed = fromIrc(lines.join('\n'), { personOf })
        // A background alone has no hex code of its own and comes back with a white foreground.
        fc.pre(
          colors !== 'hex' ||
            runsOf(doc).every(({ style }) => style.bg === undefined || style.fg !== undefined),
        )
        assert.deepEqual(runsOf(parsed), runsOf(doc))
      },
    ),
    { numRuns: 500 },
  )
})

test('lines of any document keep to the budget and hold no line end, NUL, CTCP mark or lone surrogate', () => {
  const speaker = fc.option(
    fc.record({
      name: fc.string({ unit: 'binary' }),
      kind: fc.constantFrom('text' as const, 'action' as const, 'notice' as const),
    }),
    { nil: undefined },
  )
  const options = fc.record({
    budgetBytes: fc.integer({ min: 256, max: 420 }),
    maxLines: fc.constantFrom(1, 3, 1000),
    monospace: fc.constantFrom('codes' as const, 'backticks' as const, 'none' as const),
    colors: fc.constantFrom('numbers' as const, 'extended' as const, 'hex' as const, 'none' as const),
  })
  fc.assert(
    fc.property(hostileDoc, options, speaker, fc.string({ unit: 'binary' }), (doc, chosen, by, nick) => {
      const nickOf = (): string => nick
      const rendering = renderForIrc(doc, {
        ...chosen,
        nickOf,
        channelOf: nickOf,
        ...(by !== undefined && { speaker: by }),
      })
      const lines = rendering.kind === 'lines' ? rendering.lines : [rendering.preview]
      assert.ok(lines.length <= chosen.maxLines)
      for (const line of lines) {
        assert.notEqual(line.trim(), '')
        assert.ok(byteLength(line) <= chosen.budgetBytes - (rendering.kind === 'paste' ? 100 : 0))
        for (const forbidden of '\r\n\0\x01') assert.ok(!line.includes(forbidden))
        assert.ok(line.isWellFormed())
      }
    }),
    { numRuns: 500 },
  )
})

test('splitting loses nothing but spaces, cuts no grapheme, mention or link, and keeps every style', () => {
  const word = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 90 }),
    fc.constantFrom('👩‍👩‍👧‍👦'.repeat(9), 'x'.repeat(130)),
  )
  const words = fc.array(fc.record({ style: STYLE, text: word.map((w) => w.replace(/[\s\p{Cc}]/gu, 'a')) }), {
    minLength: 1,
    maxLength: 12,
  })
  fc.assert(
    fc.property(words, fc.integer({ min: 256, max: 300 }), (list, budgetBytes) => {
      const runs = list.flatMap(({ style, text }): Run[] => [
        { style: withoutSpoiler(style), leaf: { type: 'text', text } },
        SPACE,
      ])
      const doc = normalizeDoc({ blocks: [{ type: 'paragraph', children: nestRuns(runs) }] })
      const lines = render(doc, { budgetBytes })
      const look = (line: string): string[] =>
        parseCodes(line).flatMap(({ text, style }) =>
          [...graphemes(text)].filter((g) => g !== ' ').map((g) => g + JSON.stringify(style)),
        )
      const whole = render(doc, { budgetBytes: 1e6 })
      assert.deepEqual(lines.flatMap(look), whole.flatMap(look))
      // No word is cut that would fit in a line of its own.
      for (const { text } of list) {
        if (byteLength(text) + 20 <= budgetBytes)
          assert.ok(
            lines.some((line) =>
              parseCodes(line)
                .map((s) => s.text)
                .join('')
                .includes(text),
            ),
          )
      }
    }),
    { numRuns: 300 },
  )
})

test('reading any IRC text never fails and gives a normal tree that is safe to show', () => {
  const soup = fc.array(
    fc.oneof(
      fc.constantFrom(
        '\x02',
        '\x03',
        '\x0304,',
        '\x04ff',
        '\x16',
        '\x0f',
        '> ',
        '\n',
        'alice',
        ':',
        'https://x',
        '\x01',
      ),
      fc.string({ unit: 'binary' }),
    ),
  )
  fc.assert(
    fc.property(soup, (parts) => {
      const doc = fromIrc(parts.join(''), { personOf })
      assert.deepEqual(normalizeDoc(doc), doc)
    }),
    { numRuns: 500 },
  )
})

test('hostile text, as long as any message can be or a million characters, is read, and rendered, in less than a second each', () => {
  const parts = [
    '\x02a',
    '\x03',
    '\x0304,01x',
    ' ',
    'a',
    'é',
    '👩‍👩‍👧‍👦',
    '> ',
    '\n',
    'alice:',
    '[',
    'https://x ',
    'https://',
    '\x031,1a\x03b',
    '\u0301',
    '[spoiler: ',
  ]
  for (const part of parts) {
    for (const size of [65_000, 1_000_000]) {
      const text = part.repeat(size / part.length)
      let doc: Doc = { blocks: [] }
      const reading = leastCpuMs(1000, () => (doc = fromIrc(text, { personOf })))
      const rendering = leastCpuMs(1000, () => void renderForIrc(doc, { budgetBytes: 400, maxLines: 1e9 }))
      const times = `${JSON.stringify(part)}: ${reading.toFixed()} + ${rendering.toFixed()} ms`
      assert.ok(reading < 1000 && rendering < 1000, times)
    }
  }
})
