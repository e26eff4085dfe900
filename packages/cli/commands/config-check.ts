import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { loadSettings } from '../load-settings.ts'
import { configOption } from './config-option.ts'

export const command = defineCommand({
  usage: '[config]',
  summary: 'Check the configuration and say what is wrong, with the line',
  input: Type.Object({ config: configOption }),
  run: async (terminal, input) => {
    const { config, file } = loadSettings(terminal, input.config)
    const what = file ?? 'The environment and the defaults'
    terminal.out(`${what}: right. Server name ${config.server_name}, data in ${config.data_dir}\n`)
    return 0
  },
})
