import type { Insert, Statement, TableShape, Write, WriteValue } from '../database.ts'
import { checkInteger, escapeText } from '../text.ts'
import type { BatchMessage, Item, StepDef } from './protocol.ts'

/** Kinds of steps are few; should somebody build SQL from data, both sides start afresh instead of growing. */
const MAX_DEFS = 4096

const ACCEPTS = { int: 'inph', text: 'tn', bytes: 'bun' } as const

/** A trie over parameter types: finds a step's definition without building a key per step. */
interface TypeNode {
  readonly types: string
  readonly next: Map<string, TypeNode>
  def: number
}

const newNode = (types: string): TypeNode => ({ types, next: new Map(), def: -1 })

/** Turns writes into `BatchMessage`s; remembers which definitions the writer knows. */
export class BatchEncoder {
  #tables = new Map<TableShape, TypeNode>()
  #statements = new Map<string, TypeNode>()
  #returning = new Map<string, TypeNode>()
  #known = 0
  #reset = true
  #defs: StepDef[] = []
  #items: Item[] = []
  #chunks: Uint8Array[] = []
  #bytes = 0
  #chars = 0
  #writes = 0

  /** Bytes of values in the batch so far (text counted as one byte a character). */
  get size(): number {
    return this.#bytes + this.#chars
  }

  /**
   * Adds a write to the batch.
   * @throws TypeError for a value that no column can hold; the batch is then as it was
   */
  add(write: Write): void {
    const mark = {
      items: this.#items.length,
      chunks: this.#chunks.length,
      bytes: this.#bytes,
      chars: this.#chars,
    }
    try {
      this.#encodeWrite(write)
      this.#writes++
    } catch (error) {
      this.#items.length = mark.items
      this.#chunks.length = mark.chunks
      this.#bytes = mark.bytes
      this.#chars = mark.chars
      throw error
    }
  }

  /** The batch as a message; the next write begins a new one. */
  finish(): BatchMessage {
    const bytes = new Uint8Array(this.#bytes)
    let offset = 0
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    const message = { reset: this.#reset, defs: this.#defs, writes: this.#writes, items: this.#items, bytes }
    this.#reset = false
    this.#defs = []
    this.#items = []
    this.#chunks = []
    this.#bytes = this.#chars = this.#writes = 0
    if (this.#known > MAX_DEFS) this.#forgetDefs()
    return message
  }

  #forgetDefs(): void {
    this.#tables.clear()
    this.#statements.clear()
    this.#returning.clear()
    this.#known = 0
    this.#reset = true
  }

  #encodeWrite(write: Write): void {
    const items = this.#items
    const heads = write.heads ?? []
    items.push(write.entries.length, checkInteger(write.historical ?? 0), heads.length)
    for (const head of heads) {
      items.push(checkInteger(head.roomNid), checkInteger(head.expectVersion), checkInteger(head.version))
      items.push(this.#text(head.head))
    }
    items.push(write.steps.length)
    for (const step of write.steps) {
      if ('into' in step) this.#encodeInsert(step, write)
      else this.#encodeStatement(step, write)
    }
  }

  #encodeInsert(step: Insert, write: Write): void {
    let root = this.#tables.get(step.into)
    if (root === undefined) this.#tables.set(step.into, (root = newNode('')))
    const at = this.#items.push(0, -1) - 2
    const node = this.#encodeValues(root, step.values, write, step.into)
    if (node.def < 0) node.def = this.#defineInsert(step.into, node.types)
    this.#items[at] = node.def
  }

  #encodeStatement(step: Statement, write: Write): void {
    const roots = step.returning === true ? this.#returning : this.#statements
    let root = roots.get(step.sql)
    if (root === undefined) roots.set(step.sql, (root = newNode('')))
    const at = this.#items.push(0, step.expectRows ?? -1) - 2
    const node = this.#encodeValues(root, step.params, write)
    if (node.def < 0) {
      const { sql, returning } = step
      node.def = this.#define({ kind: 'statement', sql, types: node.types, returning: returning === true })
    }
    this.#items[at] = node.def
  }

  #defineInsert(table: TableShape, types: string): number {
    if (types.length !== table.columns.length) {
      throw new TypeError(
        `${table.name} has ${table.columns.length} columns, ${types.length} values were given`,
      )
    }
    table.columns.forEach((column, index) => {
      if (!ACCEPTS[column.type].includes(types[index]!)) {
        throw new TypeError(
          `${table.name}.${column.name} is ${column.type}: a "${types[index]}" cannot go there`,
        )
      }
    })
    return this.#define({ kind: 'insert', table, types })
  }

  #define(def: StepDef): number {
    this.#defs.push(def)
    return this.#known++
  }

  #encodeValues(root: TypeNode, values: readonly WriteValue[], write: Write, table?: TableShape): TypeNode {
    let node = root
    for (let index = 0; index < values.length; index++) {
      const type = this.#encodeValue(values[index], write)
      if (type === '') {
        const where =
          table === undefined ? `parameter ${index + 1}` : `${table.name}.${table.columns[index]?.name}`
        throw new TypeError(
          `${where} cannot be ${values[index] === undefined ? 'undefined' : 'such a value'}`,
        )
      }
      let next = node.next.get(type)
      if (next === undefined) node.next.set(type, (next = newNode(node.types + type)))
      node = next
    }
    return node
  }

  /** Pushes the value and returns its type letter, or '' when it is no value (node:sqlite would bind NULL). */
  #encodeValue(value: WriteValue | undefined, write: Write): string {
    const items = this.#items
    if (typeof value === 'number') return (items.push(checkInteger(value)), 'i')
    if (typeof value === 'string') return (items.push(this.#text(value)), 't')
    if (value === null) return (items.push(null), 'n')
    if (typeof value !== 'object') return ''
    if (value instanceof Uint8Array) {
      items.push(this.#bytes, value.length)
      this.#chunks.push(value)
      this.#bytes += value.length
      return 'b'
    }
    if ('head' in value) {
      const { head, tail, signed } = value
      if (!head.isWellFormed() || !tail.isWellFormed()) throw new TypeError('a PDU holds a lone surrogate')
      this.#chars += head.length + tail.length + signed.length
      return (items.push(head, tail, signed), 'u')
    }
    if ('position' in value) return this.#encodeIndex(value.position, write.entries.length, 'p')
    if ('historical' in value) return this.#encodeIndex(value.historical, write.historical ?? 0, 'h')
    return ''
  }

  #encodeIndex(index: number, count: number, type: 'p' | 'h'): string {
    if (!(index >= 0 && index < count)) {
      throw new TypeError(
        `${type === 'p' ? 'position' : 'historical'} ${index} of a write that takes ${count}`,
      )
    }
    this.#items.push(index)
    return type
  }

  #text(value: string): string {
    this.#chars += value.length
    return escapeText(value)
  }
}
