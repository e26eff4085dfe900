/** Something in the configuration that keeps the server from starting. */
export interface ConfigProblem {
  readonly path: readonly string[]
  readonly message: string
  /** Where it was said: `causeway.yaml:12` or `CAUSEWAY_LOG__LEVEL`. */
  readonly source?: string | undefined
}

export function formatPath(path: readonly string[]): string {
  return path.map((key, index) => (/^\d+$/.test(key) ? `[${key}]` : index === 0 ? key : `.${key}`)).join('')
}

/** One line for the operator: where, which option, what to do. */
export function formatProblem(problem: ConfigProblem): string {
  const where = problem.source === undefined ? '' : `${problem.source}: `
  const option = problem.path.length === 0 ? '' : `${formatPath(problem.path)} `
  return `${where}${option}${problem.message}`
}

/** The configuration cannot be used; every problem at once, not only the first. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    super(
      ['The configuration cannot be used:', ...problems.map((one) => `  ${formatProblem(one)}`)].join('\n'),
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}
