/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two cameras' seconds, and onnxinference on each of their frames behind a splitter:
 * each frame comes out with the tensor that belongs to it.
 */
#include "analyticspipe.h"

#include <glib/gstdio.h>

#define WIDTH 8
#define HEIGHT 6
#define SECONDS 3
#define FPS 25

/* --- a model, in the few bytes of protobuf that it takes --- */

static void
put_number (GByteArray * out, guint64 number)
{
  do {
    guint8 byte = (number & 0x7f) | (number > 0x7f ? 0x80 : 0);

    g_byte_array_append (out, &byte, 1);
    number >>= 7;
  } while (number > 0);
}

static void
put_int (GByteArray * out, guint field, guint64 number)
{
  put_number (out, field << 3);
  put_number (out, number);
}

static void
put_bytes (GByteArray * out, guint field, gconstpointer data, gsize size)
{
  put_number (out, field << 3 | 2);
  put_number (out, size);
  g_byte_array_append (out, data, (guint) size);
}

static void
put_string (GByteArray * out, guint field, const gchar * text)
{
  put_bytes (out, field, text, strlen (text));
}

/* Takes the message */
static void
put_message (GByteArray * out, guint field, GByteArray * message)
{
  put_bytes (out, field, message->data, message->len);
  g_byte_array_unref (message);
}

/* A ValueInfoProto of floats */
static GByteArray *
value_info (const gchar * name, const guint * dims, guint n_dims)
{
  GByteArray *value = g_byte_array_new (), *type = g_byte_array_new ();
  GByteArray *tensor = g_byte_array_new (), *shape = g_byte_array_new ();
  guint i;

  for (i = 0; i < n_dims; i++) {
    GByteArray *dim = g_byte_array_new ();

    put_int (dim, 1, dims[i]);
    put_message (shape, 1, dim);
  }
  put_int (tensor, 1, 1);       /* FLOAT */
  put_message (tensor, 2, shape);
  put_message (type, 1, tensor);
  put_string (value, 1, name);
  put_message (value, 2, type);
  return value;
}

/* The mean of each colour: ReduceMean over height and width */
static GByteArray *
mean_node (void)
{
  GByteArray *node = g_byte_array_new (), *axes = g_byte_array_new ();
  GByteArray *keep = g_byte_array_new ();

  put_string (axes, 1, "axes");
  put_int (axes, 8, 2);
  put_int (axes, 8, 3);
  put_int (axes, 20, 7);        /* INTS */
  put_string (keep, 1, "keepdims");
  put_int (keep, 3, 0);
  put_int (keep, 20, 2);        /* INT */
  put_string (node, 1, "frame");
  put_string (node, 2, "colour");
  put_string (node, 4, "ReduceMean");
  put_message (node, 5, axes);
  put_message (node, 5, keep);
  return node;
}

static GByteArray *
make_model (void)
{
  const guint in[] = { 1, 3, HEIGHT, WIDTH }, out[] = { 1, 3 };
  GByteArray *model = g_byte_array_new (), *graph = g_byte_array_new ();
  GByteArray *opset = g_byte_array_new ();

  put_message (graph, 1, mean_node ());
  put_string (graph, 2, "mean");
  put_message (graph, 11, value_info ("frame", in, G_N_ELEMENTS (in)));
  put_message (graph, 12, value_info ("colour", out, G_N_ELEMENTS (out)));
  put_string (opset, 1, "");
  put_int (opset, 2, 13);
  put_int (model, 1, 8);        /* ir_version */
  put_message (model, 7, graph);
  put_message (model, 8, opset);
  return model;
}

/* What onnxinference wants to know besides */
static const gchar model_info[] = "[modelinfo]\nversion=1.0\n"
    "group-id=mean-colour\n\n"
    "[frame]\nid=frame\ntype=float32\ndims=1,3," G_STRINGIFY (HEIGHT) ","
    G_STRINGIFY (WIDTH) "\ndir=input\n"
    "ranges=0.0,255.0;0.0,255.0;0.0,255.0\n\n"
    "[colour]\nid=mean-colour\ntype=float32\ndims=1,3\ndir=output\n";

static gchar *folder, *model_file;

static void
write_model (void)
{
  gchar *info_file;
  GByteArray *model = make_model ();

  folder = g_dir_make_tmp ("onnx-XXXXXX", NULL);
  model_file = g_build_filename (folder, "mean.onnx", NULL);
  info_file = g_strconcat (model_file, ".modelinfo", NULL);
  fail_unless (g_file_set_contents (model_file, (const gchar *) model->data,
          model->len, NULL));
  fail_unless (g_file_set_contents (info_file, model_info, -1, NULL));
  g_byte_array_unref (model);
  g_free (info_file);
}

static void
remove_model (void)
{
  gchar *info_file = g_strconcat (model_file, ".modelinfo", NULL);

  g_unlink (info_file);
  g_unlink (model_file);
  g_rmdir (folder);
  g_free (info_file);
  g_free (model_file);
  g_free (folder);
}

/* --- frames --- */

/* Each frame of each camera has its own colour */
static void
colour_of (guint k, guint n, guint8 rgb[3])
{
  rgb[0] = (guint8) n;
  rgb[1] = (guint8) (100 + 50 * k);
  rgb[2] = (guint8) (255 - 2 * n);
}

static void
add_frame (Input * input, guint k, guint n)
{
  GstClockTime duration = GST_SECOND / FPS;
  GstMapInfo map;
  GstBuffer *frame;
  guint8 rgb[3];
  gsize i;

  input_frame (input, k, n * duration, duration, WIDTH * HEIGHT * 3, 0);
  frame = g_ptr_array_index (input->items[k], input->items[k]->len - 1);
  colour_of (k, n, rgb);
  fail_unless (gst_buffer_map (frame, &map, GST_MAP_WRITE));
  for (i = 0; i < map.size; i++)
    map.data[i] = rgb[i % 3];
  gst_buffer_unmap (frame, &map);
}

static void
fill_input (Input * input)
{
  guint k, n;

  input_init (input);
  for (k = 0; k < STREAMS; k++) {
    input_format (input, k, "video/x-raw,format=RGB,width=" G_STRINGIFY (WIDTH)
        ",height=" G_STRINGIFY (HEIGHT) ",framerate=" G_STRINGIFY (FPS) "/1");
    for (n = 0; n < SECONDS * FPS; n++)
      add_frame (input, k, n);
    input_add (input, k, gst_event_new_eos ());
  }
}

static void
check_frame (GstBuffer * frame, guint k, guint n)
{
  GstTensorMeta *meta = gst_buffer_get_tensor_meta (frame);
  const gsize dims[] = { 1, 3 };
  const GstTensor *tensor;
  guint8 rgb[3];
  GstMapInfo map;
  guint i;

  fail_unless_equals_uint64 (GST_BUFFER_PTS (frame), n * (GST_SECOND / FPS));
  fail_unless (meta != NULL, "frame %u of camera %u", n, k);
  tensor = gst_tensor_meta_get_typed_tensor (meta,
      g_quark_from_static_string ("mean-colour"), GST_TENSOR_DATA_TYPE_FLOAT32,
      GST_TENSOR_DIM_ORDER_ROW_MAJOR, 2, dims);
  fail_unless (tensor != NULL);
  colour_of (k, n, rgb);
  fail_unless (gst_buffer_map (tensor->data, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, 3 * sizeof (gfloat));
  for (i = 0; i < 3; i++)
    fail_unless (ABS (((gfloat *) map.data)[i] - rgb[i]) < 0.01f,
        "frame %u of camera %u: %f, not %u", n, k,
        (double) ((gfloat *) map.data)[i], rgb[i]);
  gst_buffer_unmap (tensor->data, &map);
}

static GstElement *
make_inference (void)
{
  GstElement *inference = gst_element_factory_make ("onnxinference", NULL);

  g_object_set (inference, "model-file", model_file, NULL);
  return inference;
}

static void
infer_behind (const gchar * splitter)
{
  Pipe pipe = {.check = check_frame,.make_tail = make_inference };
  Input input;

  skip_unless (has_element ("onnxinference") && has_element (splitter),
      "no onnxinference or %s", splitter);
  write_model ();
  fill_input (&input);
  pipe_init (&pipe, NULL, splitter);
  pipe_run (&pipe, &input);
  fail_unless_equals_int (pipe.frames[0], SECONDS * FPS);
  fail_unless_equals_int (pipe.frames[1], SECONDS * FPS);
  fail_unless_equals_int (pipe.pads, STREAMS);
  pipe_clear (&pipe);
  input_clear (&input);
  remove_model ();
}

GST_START_TEST (test_behind_the_analytics_splitter)
{
  infer_behind ("analyticssplitter");
}

GST_END_TEST;

GST_START_TEST (test_behind_our_splitter)
{
  infer_behind ("secondsplitter");
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_behind_the_analytics_splitter);
  tcase_add_test (tc, test_behind_our_splitter);
}

ANALYTICS_SUITE (secondbatchonnx)
