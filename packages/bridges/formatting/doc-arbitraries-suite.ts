import fc from 'fast-check'
import type { Block, Doc, HeadingLevel, Inline } from './tree.ts'

/** Arbitrary documents for property tests: hostile ones with any string anywhere, and tame ones that HTML can hold. */

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '&amp;<b>',
    '\x02\x0304,5',
    'a\r\nb\0c\x01',
    '"onload="x',
    '👩‍👩‍👧‍👦',
    ' \u00a0 ',
    '\ud800',
  ),
)
const anyUrl = fc.oneof(
  fc.webUrl(),
  anyText,
  fc.constantFrom(
    'javascript:alert(1)',
    ' JaVaScRiPt:x',
    'https://a.example/"onclick="x',
    'data:text/html,x',
    'http:x',
  ),
)

interface Leaves {
  readonly text: fc.Arbitrary<string>
  readonly url: fc.Arbitrary<string>
  readonly leaf: fc.Arbitrary<Inline>
}

const color = fc.constantFrom('#ff0000', '#00fc00', '#123456', '#ABCDEF')

function inlineArbitrary(leaves: Leaves): fc.Arbitrary<Inline[]> {
  const { inlines } = fc.letrec<{ inlines: Inline[]; inline: Inline }>((tie) => ({
    inlines: fc.array(tie('inline'), { maxLength: 5, depthIdentifier: 'inline' }),
    inline: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'inline' },
      leaves.leaf,
      fc.record({
        type: fc.constantFrom('strong' as const, 'emph' as const, 'strike' as const, 'underline' as const),
        children: tie('inlines'),
      }),
      fc.record({ type: fc.constant('spoiler' as const), reason: leaves.text, children: tie('inlines') }),
      fc.record({ type: fc.constant('spoiler' as const), children: tie('inlines') }),
      fc.record({ type: fc.constant('color' as const), fg: color, children: tie('inlines') }),
      fc.record({ type: fc.constant('color' as const), fg: color, bg: color, children: tie('inlines') }),
      leaves.url.chain((url) =>
        fc.record({
          type: fc.constant('link' as const),
          url: fc.constant(url),
          children: tie('inlines').map((c) => [...c, { type: 'text' as const, text: 'link' }]),
        }),
      ),
    ),
  }))
  return inlines
}

function docArbitrary(leaves: Leaves): fc.Arbitrary<Doc> {
  const inlines = inlineArbitrary(leaves)
  const { blocks } = fc.letrec<{ blocks: Block[]; block: Block }>((tie) => ({
    blocks: fc.array(tie('block'), { maxLength: 4, depthIdentifier: 'block' }),
    block: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'block' },
      fc.record({ type: fc.constant('paragraph' as const), children: inlines }),
      fc.record({
        type: fc.constant('heading' as const),
        level: fc.constantFrom<HeadingLevel>(1, 2, 3, 6),
        children: inlines,
      }),
      fc.record({ type: fc.constant('code' as const), text: leaves.text }),
      fc.record({
        type: fc.constant('code' as const),
        text: leaves.text,
        language: fc.constantFrom('rust', 'c++', 'x" onclick="y'),
      }),
      fc.record({ type: fc.constant('rule' as const) }),
      fc.record({
        type: fc.constant('table' as const),
        headerRows: fc.nat(2),
        rows: fc.array(fc.array(inlines, { maxLength: 3 }), { maxLength: 3 }),
      }),
      fc.record({ type: fc.constant('quote' as const), blocks: tie('blocks') }),
      fc.record({
        type: fc.constant('list' as const),
        ordered: fc.boolean(),
        start: fc.integer({ min: -1, max: 2e6 }),
        items: fc.array(tie('blocks'), { maxLength: 3 }),
      }),
    ),
  }))
  return blocks.map((list) => ({ blocks: list }))
}

function leafArbitrary(
  text: fc.Arbitrary<string>,
  userId: fc.Arbitrary<string>,
  tame: boolean,
): fc.Arbitrary<Inline> {
  const wild: fc.Arbitrary<Inline>[] = [
    fc.record({
      type: fc.constant('mention' as const),
      target: fc.constant({ kind: 'everyone' as const }),
      label: text,
    }),
    fc.record({ type: fc.constant('emoji' as const), text }),
    fc.record({ type: fc.constant('customEmoji' as const), shortcode: text, mxc: text }),
  ]
  return fc.oneof(
    fc.record({ type: fc.constant('text' as const), text }),
    fc.record({ type: fc.constant('text' as const), text }),
    fc.record({ type: fc.constant('code' as const), text }),
    fc.record({ type: fc.constant('lineBreak' as const) }),
    fc.record({
      type: fc.constant('mention' as const),
      target: userId.map((id) => ({ kind: 'person' as const, userId: id })),
      label: text,
    }),
    fc.record({
      type: fc.constant('mention' as const),
      target: fc.constant({ kind: 'room' as const, room: '#osm:example.org' }),
      label: text,
    }),
    fc.constant<Inline>({ type: 'customEmoji', shortcode: 'party', mxc: 'mxc://example.org/abc' }),
    ...(tame ? [] : wild),
  )
}

/** Documents with any string in every place. */
export const hostileDoc: fc.Arbitrary<Doc> = docArbitrary({
  text: anyText,
  url: anyUrl,
  leaf: leafArbitrary(anyText, anyText, false),
})

const tameText = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom('<b>', '&lt;', ' a  b ', '   ', '\x02x', '*a* _b_ `c`', 'x\ny'),
  )
  .filter((text) => !text.includes('\u00a0'))
const tameUrl = fc.constantFrom('https://osm.example/map?a=1&b=2#x', 'mailto:a@b.example', 'magnet:?xt=urn:x')

/** Documents of what Matrix HTML can say, with text that looks like markup or formatting codes among it. */
export const tameDoc: fc.Arbitrary<Doc> = docArbitrary({
  text: tameText,
  url: tameUrl,
  leaf: leafArbitrary(tameText, fc.constantFrom('@alice:example.org', '@a/b:example.org:8448'), true),
})
