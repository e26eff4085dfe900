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
  input: Type.Object({ config: configOption }),
  run: async (terminal, input) => {
    const findings: Finding[] = []
    try {
      const { config, file } = loadSettings(terminal, input.config)
      const { examine } = await import('../doctor/examine.ts')
      findings.push(ok(`Configuration: ${file ?? 'defaults and environment'}`), ...(await examine(config)))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      findings.push(fail(error.message))
    }
    for (const { level, text } of findings) terminal.out(`${MARKS[level]} ${text}\n`)
    return findings.some((one) => one.level === 'fail') ? 1 : 0
  },
})
