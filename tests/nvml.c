/* A stand-in for NVIDIA's libnvidia-ml.so.1, whose answers are in the text file that NVML_ANSWERS names.
   A line for a GPU:       gpu|name|uuid, or - if it is lost|MiB|MiB used|use|temperature|milliwatts|clock
   A line for a process:   use|index of the GPU|pid|MiB|name
   A process without a name has ended meanwhile. A value that the GPU does not report is - */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, LOST = 15 };
#define MOST 16
typedef struct { char *part[9]; } Row;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Rates;
typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, compute; } Process;

static Row gpus[MOST], users[MOST];
static unsigned gpu_count, user_count;
static char text[8192];

static int load(void) {
    FILE *file = fopen(getenv("NVML_ANSWERS") ? getenv("NVML_ANSWERS") : "", "r");
    if (!file) return DRIVER_NOT_LOADED;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    gpu_count = user_count = 0;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        char *kind = strsep(&line, "|");
        if (strcmp(kind, "gpu") && strcmp(kind, "use")) continue;
        Row *row = kind[0] == 'g' ? &gpus[gpu_count++] : &users[user_count++];
        for (int i = 0; i < 9; i++) row->part[i] = strsep(&line, "|");
    }
    return SUCCESS;
}
static int number(const char *part, unsigned *answer) {
    if (!part || !strcmp(part, "-")) return NOT_SUPPORTED;
    *answer = (unsigned) strtoul(part, 0, 10);
    return SUCCESS;
}
static unsigned long long big(const char *part) { return strtoull(part, 0, 10); }
static unsigned long long bytes(const char *part) { return big(part) << 20; }

int nvmlInitWithFlags(unsigned flags) { return load(); }
int nvmlInit_v2(void) { return load(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return "an error of the stand-in"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpu_count; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Row **row) {
    if (index >= gpu_count) return NOT_FOUND;
    *row = &gpus[index];
    return strcmp((*row)->part[1], "-") ? SUCCESS : LOST;
}
int nvmlDeviceGetName(Row *row, char *name, unsigned size) { snprintf(name, size, "%s", row->part[0]); return SUCCESS; }
int nvmlDeviceGetUUID(Row *row, char *uuid, unsigned size) { snprintf(uuid, size, "%s", row->part[1]); return SUCCESS; }
int nvmlDeviceGetMemoryInfo_v2(Row *row, Memory *memory) {
    memory->total = bytes(row->part[2]);
    memory->used = bytes(row->part[3]);
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(Row *row, Rates *rates) { return number(row->part[4], &rates->gpu); }
int nvmlDeviceGetTemperature(Row *row, int sensor, unsigned *answer) { return number(row->part[5], answer); }
int nvmlDeviceGetPowerUsage(Row *row, unsigned *answer) { return number(row->part[6], answer); }
int nvmlDeviceGetClockInfo(Row *row, int clock, unsigned *answer) { return number(row->part[7], answer); }
int nvmlDeviceGetComputeRunningProcesses_v3(Row *row, unsigned *count, Process *processes) {
    unsigned found = 0;
    for (unsigned i = 0; i < user_count; i++) {
        if (big(users[i].part[0]) != (unsigned long long) (row - gpus)) continue;
        if (processes && found < *count)
            processes[found] = (Process) {(unsigned) big(users[i].part[1]), bytes(users[i].part[2]), 0, 0};
        found++;
    }
    int code = found && (!processes || found > *count) ? INSUFFICIENT_SIZE : SUCCESS;
    *count = found;
    return code;
}
int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned size) {
    for (unsigned i = 0; i < user_count; i++)
        if (big(users[i].part[1]) == pid && users[i].part[3]) return snprintf(name, size, "%s", users[i].part[3]), SUCCESS;
    return NOT_FOUND;
}
