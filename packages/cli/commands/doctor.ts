import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { ConfigError } from '../config/problem.ts'
import { fail, ok, type Finding } from '../doctor/finding.ts'
import { loadSettings } from '../load-settings.ts'
import { configOption } from './config-option.ts'

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok   ', warn: 'warn ', fail: 'FAIL ' }

export const command = defineCommand({
  usage: '',
  summary: 'Look for what would keep the server from running well',
  input: Type.Object({
    config: configOption,
    via: Type.Optional(
      Type.String({
        description: 'Another Matrix server, such as matrix.org, that is made to fetch the keys of this one',
      }),
    ),
  }),
  run: async (terminal, input) => {
    const findings: Finding[] = []
    try {
      const { config, file } = loadSettings(terminal, input.config)
      const { examine } = await import('../doctor/examine.ts')
      findings.push(
        ok(`Configuration: ${file ?? 'defaults and environment'}`),
        ...(await examine(config, input.via)),
      )
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      findings.push(fail(error.message))
    }
    for (const { level, text, advice = [] } of findings) {
      terminal.out(`${MARKS[level]} ${text}\n`)
      for (const line of advice) terminal.out(`      ${line}\n`)
    }
    return findings.some((one) => one.level === 'fail') ? 1 : 0
  },
})
