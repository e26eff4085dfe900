import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestEvent } from 'node:test/reporters'

// What `npm test` shows: a line per file, failures in full where they happen, and at the end every skipped test
// with its reason and the runner's own counts.

/** Of a file's summary, what is shown. */
interface Outcome {
  readonly passed: number
  readonly failed: number
}

/** What a run came to, for whoever started it: written to the file that `TEST_SUMMARY_FILE` names. */
export interface RunSummary {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly failedFiles: readonly (Outcome & { readonly file: string })[]
}

const relative = (file: string | undefined): string => path.relative(process.cwd(), file ?? '?')

/** With what caused it, as deep as it goes: "fetch failed" alone says nothing. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const text = error.stack ?? error.message
  return error.cause === undefined ? text : `${text}\ncaused by: ${describeError(error.cause)}`
}

function describeFailure(name: string, file: string | undefined, error: unknown): string {
  const text = describeError(error instanceof Error && error.cause !== undefined ? error.cause : error)
  return `\n✖ ${name}\n  ${relative(file)}\n${text.replaceAll(/^/gm, '    ')}\n\n`
}

/** A suite fails with its tests; only what failed by itself is shown. */
const failedInside = (error: unknown): boolean =>
  error instanceof Error && (error as { failureType?: string }).failureType === 'subtestsFailed'

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = []
  let skippedSuites = 0
  const failed: string[] = []
  const failedFiles: RunSummary['failedFiles'][number][] = []
  let counts: Record<string, number> = {}
  for await (const event of source) {
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      const { name, file, details, skip, todo } = event.data
      const reason = skip ?? todo
      const isSuite = details.type === 'suite'
      if (reason !== undefined && reason !== false) {
        // The runner counts no tests in it, since it does not look into it.
        if (isSuite) skippedSuites++
        skipped.push(
          `  - ${relative(file)}: ${name}${isSuite ? ' (all of it)' : ''}: ${reason === true ? 'NO REASON GIVEN' : String(reason)}`,
        )
        continue
      }
      if (isSuite && event.type === 'test:pass') continue
      if (event.type === 'test:fail' && !failedInside(event.data.details.error)) {
        failed.push(`  - ${relative(file)}: ${name}`)
        yield describeFailure(name, file, event.data.details.error)
      }
    } else if (event.type === 'test:summary') {
      const { file, duration_ms: ms, success } = event.data
      if (file === undefined) counts = event.data.counts as unknown as Record<string, number>
      else {
        // The runner's own figures: tests may be written in another file, a suite that several files run.
        const { passed, failed: broken } = event.data.counts as unknown as Outcome
        if (!success) failedFiles.push({ file: relative(file), passed, failed: broken })
        const failures = broken === 0 ? '' : `, ${broken} failed`
        yield `${success ? '✔' : '✖'} ${relative(file)}: ${passed} passed${failures} (${(ms / 1000).toFixed(1)} s)\n`
      }
    } else if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      if (process.env['CAUSEWAY_TEST_OUTPUT'] !== undefined) yield event.data.message
    }
  }
  if (skipped.length > 0) yield `\nSkipped, with the reason:\n${skipped.join('\n')}\n`
  if (failed.length > 0) yield `\nFailed:\n${failed.join('\n')}\n`
  const { passed = 0, cancelled = 0, skipped: skips = 0, todo = 0 } = counts
  const broken = (counts['failed'] ?? 0) + cancelled
  const left = skips + todo + skippedSuites
  yield `\n${passed} passed, ${broken} failed, ${left} skipped\n`
  const summary: RunSummary = { passed, failed: broken, skipped: left, failedFiles }
  const file = process.env['TEST_SUMMARY_FILE']
  if (file !== undefined) writeFileSync(file, JSON.stringify(summary))
}
