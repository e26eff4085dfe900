import { parsePattern, type CodePointTest, type PatternNode } from './pattern-tree.ts'

/** Whether a text begins with what the pattern describes. */
export type Pattern = (text: string) => boolean

type Instruction =
  | { readonly op: 'one'; readonly test: CodePointTest }
  | { readonly op: 'fork'; first: number; second: number }
  | { readonly op: 'start' | 'end' | 'match' }

/** Patterns that need more steps than this per character are refused. */
const MAX_INSTRUCTIONS = 2_000
/** Ids are at most 255 bytes long; nothing longer is an id. */
const MAX_TEXT = 255

/**
 * Compiles a namespace's regular expression so that matching costs at most (length of the text) × (length of
 * the pattern) steps, whatever either holds: the built-in ones take exponential time for some patterns, and
 * the texts are strangers' ids. Anchored at the start and not at the end, as other servers do it.
 * @throws SyntaxError with the rest of a sentence that begins with the pattern
 */
export function compilePattern(source: string): Pattern {
  if (source.length > 1_000) throw new SyntaxError('is longer than 1,000 characters')
  const program: Instruction[] = []
  emit(program, parsePattern(source))
  add(program, { op: 'match' })
  return (text) => text.length <= MAX_TEXT && run(program, text)
}

function add<I extends Instruction>(program: Instruction[], instruction: I): I {
  if (program.length >= MAX_INSTRUCTIONS)
    throw new SyntaxError('is too large with its repetitions written out')
  program.push(instruction)
  return instruction
}

function emit(program: Instruction[], node: PatternNode): void {
  if (node.kind === 'empty') return
  if (node.kind === 'one') add(program, { op: 'one', test: node.test })
  else if (node.kind === 'repeat') emitRepeat(program, node.part, node.min, node.max)
  else if (!('parts' in node)) add(program, { op: node.kind })
  else if (node.kind === 'choice') emitChoice(program, node.parts)
  else for (const part of node.parts) emit(program, part)
}

/** fork → first, jump to the end; … A jump is a fork with both ways the same. */
function emitChoice(program: Instruction[], parts: readonly PatternNode[]): void {
  const jumps: { first: number; second: number }[] = []
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1) {
      emit(program, part)
      continue
    }
    const fork = add(program, { op: 'fork', first: program.length + 1, second: 0 })
    emit(program, part)
    jumps.push(add(program, { op: 'fork', first: 0, second: 0 }))
    fork.second = program.length
  }
  for (const jump of jumps) jump.first = jump.second = program.length
}

function emitRepeat(program: Instruction[], part: PatternNode, min: number, max: number): void {
  for (let i = 0; i < min; i++) emit(program, part)
  if (max === Infinity) {
    const start = program.length
    const fork = add(program, { op: 'fork', first: start + 1, second: 0 })
    emit(program, part)
    add(program, { op: 'fork', first: start, second: start })
    fork.second = program.length
    return
  }
  const forks: { second: number }[] = []
  for (let i = min; i < max; i++) {
    forks.push(add(program, { op: 'fork', first: program.length + 1, second: 0 }))
    emit(program, part)
  }
  for (const fork of forks) fork.second = program.length
}

/** All ways through the program at once, each place visited at most once per character. */
function run(program: readonly Instruction[], text: string): boolean {
  const seen = new Int32Array(program.length).fill(-1)
  const stack: number[] = []
  let here: number[] = []
  let matched = false
  const enter = (from: number, at: number, into: number[]): void => {
    stack.push(from)
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (seen[index] === at) continue
      seen[index] = at
      const instruction = program[index]!
      if (instruction.op === 'match') matched = true
      else if (instruction.op === 'one') into.push(index)
      else if (instruction.op === 'fork') stack.push(instruction.second, instruction.first)
      else if (instruction.op === 'start' ? at === 0 : at === text.length) stack.push(index + 1)
    }
  }
  enter(0, 0, here)
  for (let at = 0; !matched && here.length > 0 && at < text.length;) {
    const codePoint = text.codePointAt(at)!
    at += codePoint > 0xffff ? 2 : 1
    const next: number[] = []
    for (const index of here) {
      const instruction = program[index]!
      if (instruction.op === 'one' && instruction.test(codePoint)) enter(index + 1, at, next)
    }
    here = next
  }
  return matched
}
