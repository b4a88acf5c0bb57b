from modules.util.enum.kinds import ModelFormat as ModelFormat
