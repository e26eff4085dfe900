/**
 * The rich text every network is converted from and to: a small tree, so that N networks need 2N converters
 * instead of N². It says what a message means, not how one network writes it.
 *
 * Text leaves hold no line ends and no control characters once a tree went through `normalizeDoc`; every parser
 * here returns a normalized tree, every renderer normalizes its input.
 */

/** One message. */
export interface Doc {
  readonly blocks: readonly Block[]
}

export type Block =
  | { readonly type: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly type: 'heading'; readonly level: HeadingLevel; readonly children: readonly Inline[] }
  | { readonly type: 'quote'; readonly blocks: readonly Block[] }
  /** `text` keeps its line feeds and spaces; `language` is a name such as `rust`, never empty. */
  | { readonly type: 'code'; readonly text: string; readonly language?: string }
  /** `start` is the number of the first item; it means nothing where `ordered` is false (there it is 1). */
  | {
      readonly type: 'list'
      readonly ordered: boolean
      readonly start: number
      readonly items: readonly (readonly Block[])[]
    }
  /** The first `headerRows` rows are headings. */
  | { readonly type: 'table'; readonly headerRows: number; readonly rows: readonly TableRow[] }
  | { readonly type: 'rule' }

export type HeadingLevel = 1 | 2 | 3 | 4 | 5 | 6
/** Cells of a row, each a piece of inline text. */
export type TableRow = readonly (readonly Inline[])[]

export type Inline =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'strong'; readonly children: readonly Inline[] }
  | { readonly type: 'emph'; readonly children: readonly Inline[] }
  | { readonly type: 'strike'; readonly children: readonly Inline[] }
  | { readonly type: 'underline'; readonly children: readonly Inline[] }
  /** `reason` is what may be shown before the reader uncovers the rest; never empty. */
  | { readonly type: 'spoiler'; readonly reason?: string; readonly children: readonly Inline[] }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'link'; readonly url: string; readonly children: readonly Inline[] }
  | { readonly type: 'mention'; readonly target: MentionTarget; readonly label: string }
  /** One Unicode emoji that the network marked as such; elsewhere emoji are ordinary text. */
  | { readonly type: 'emoji'; readonly text: string }
  /** `shortcode` without colons; `mxc` is the picture, where there is one. */
  | { readonly type: 'customEmoji'; readonly shortcode: string; readonly mxc?: string }
  /** Colors as `#rrggbb` in lower case; at least one of the two. */
  | {
      readonly type: 'color'
      readonly fg?: string
      readonly bg?: string
      readonly children: readonly Inline[]
    }
  | { readonly type: 'lineBreak' }

/**
 * Who is called. `userId` is a Matrix user id (a ghost's for people of other networks); `room` a room alias or room
 * id, `eventId` an event in it. Both are text as found and must be parsed before they are trusted as ids.
 */
export type MentionTarget =
  | { readonly kind: 'person'; readonly userId: string }
  | { readonly kind: 'room'; readonly room: string; readonly eventId?: string }
  | { readonly kind: 'everyone' }

/** A document of one paragraph with this text in it; line feeds become line breaks. */
export function docFromText(text: string): Doc {
  const children: Inline[] = []
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (children.length > 0) children.push({ type: 'lineBreak' })
    children.push({ type: 'text', text: line })
  }
  return { blocks: [{ type: 'paragraph', children }] }
}

/** The inline nodes of a block that has some of its own, else undefined. */
export function inlinesOf(block: Block): readonly Inline[] | undefined {
  return block.type === 'paragraph' || block.type === 'heading' ? block.children : undefined
}

/**
 * Every inline node of a document in reading order, parents before their children. Depth is what the tree's is;
 * parsers bound it.
 */
export function* walkInlines(doc: Doc): Generator<Inline> {
  for (const block of doc.blocks) yield* walkBlock(block)
}

function* walkBlock(block: Block): Generator<Inline> {
  if (block.type === 'quote') for (const inner of block.blocks) yield* walkBlock(inner)
  if (block.type === 'list') for (const item of block.items) for (const inner of item) yield* walkBlock(inner)
  if (block.type === 'table') for (const row of block.rows) for (const cell of row) yield* walkInline(cell)
  const inlines = inlinesOf(block)
  if (inlines !== undefined) yield* walkInline(inlines)
}

function* walkInline(inlines: readonly Inline[]): Generator<Inline> {
  for (const inline of inlines) {
    yield inline
    if ('children' in inline) yield* walkInline(inline.children)
  }
}

/**
 * The `m.mentions` object of a document. Always set it on the event, even when empty: its presence is what
 * switches off the old rules by which the bare words `@room` or a name in the body ring.
 * https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions
 */
export function mentionsOf(doc: Doc): { user_ids?: string[]; room?: true } {
  const userIds = new Set<string>()
  let room = false
  for (const inline of walkInlines(doc)) {
    if (inline.type !== 'mention') continue
    if (inline.target.kind === 'person') userIds.add(inline.target.userId)
    if (inline.target.kind === 'everyone') room = true
  }
  return { ...(userIds.size > 0 && { user_ids: [...userIds] }), ...(room && { room: true }) }
}
